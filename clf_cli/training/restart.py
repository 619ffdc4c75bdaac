"""Continuing a run that died before its first checkpoint: it begins again, in its folder, with its settings."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from clf_cli.data.dataset import load_dataset
from clf_cli.data.scan_threads import scan_threads
from clf_cli.errors import DataError
from clf_cli.models.compute import resolve_compute
from clf_cli.settings.resolved import Resolved
from clf_cli.training.image_workers import workers_again
from clf_cli.training.resume import continued_settings
from clf_cli.training.start import Start, require_parts
from clf_cli.values.progress import Progress
from clf_cli.values.run_dir import RunDir, run_of
from clf_cli.values.run_record import read_record


def without_checkpoint(path: Path) -> RunDir | None:
    """The run that `path` is, when it was told to train and no epoch of it was kept."""
    run = run_of(path)
    if run is None or path.is_file() or not run.settings.is_file() or read_record(run).status == "finished":
        return None
    return None if any(run.checkpoints.glob("*.ckpt")) else run


def restarted_start(run: RunDir, resolved: Resolved, progress: Progress, command: Sequence[str]) -> Start:
    """The start of `run`, again. Raises what a fresh start raises, and DataError when its files changed."""
    from clf_cli.models.build import preprocess_for  # timm

    record = read_record(run)
    settings, notes = continued_settings(run, resolved)
    init_from = None if record.init_from is None else Path(record.init_from)
    settings = settings.model_copy(update={"train": settings.train.model_copy(update={"init_from": init_from})})
    require_parts(settings)
    compute, compute_notes = resolve_compute(settings.compute)
    if not resolved.given("compute.threads"):
        compute = replace(compute, threads=record.threads)
    compute = workers_again(compute, settings.compute, record.workers)
    dataset = load_dataset(settings.data, settings.compute.seed, scan_threads(settings.compute.workers), progress)
    if dataset.fingerprint != record.data_fingerprint:
        raise DataError(
            f"The images or labels in {dataset.root} are not those that {run.root} was begun on.",
            "Restore them, or start a new run: this one has not trained yet.",
        )
    return Start(
        run=run,
        record=replace(
            record,
            command=tuple(command),
            status="running",
            precision=compute.precision,
            compile=compute.compile,
        ),
        settings=settings,
        settings_toml=Resolved(settings, resolved.origin).to_toml(),
        compute=compute,
        dataset=dataset,
        preprocess=preprocess_for(settings.model),
        checkpoint=None,
        notes=(*notes, *compute_notes, f"{run.root} has no checkpoint yet: it begins again at its first step."),
        again=True,
    )
