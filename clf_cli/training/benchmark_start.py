"""What `clf benchmark --train` starts from: the run that `clf train` would start, in a folder to throw away."""

from dataclasses import replace
from pathlib import Path

from clf_cli.settings.resolved import Resolved
from clf_cli.training.batch_size import with_batch_size
from clf_cli.training.image_workers import with_workers
from clf_cli.training.precision import with_precision
from clf_cli.training.start import Start, fresh_start
from clf_cli.values.progress import Progress

COMMAND = ("clf", "benchmark", "--train")


def benchmark_start(resolved: Resolved, folder: Path, progress: Progress) -> Start:
    """Nothing is exported, tracked, compiled, or written elsewhere, the scan's cache included. Raises what `clf train`
    raises."""
    settings = resolved.settings
    compute = settings.compute.model_copy(update={"compile": "off"})
    train = settings.train.model_copy(update={"out": folder, "name": None, "resume": None, "tracker": ()})
    export = settings.export.model_copy(update={"enabled": False})
    resolved = replace(
        resolved, settings=settings.model_copy(update={"train": train, "export": export, "compute": compute})
    )
    start = with_workers(fresh_start(resolved, progress, COMMAND, remember=False))
    return with_precision(with_batch_size(start, resolved, progress), resolved)
