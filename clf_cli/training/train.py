"""A whole run: from resolved settings to a run directory with a checked ONNX file."""

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from clf_cli.errors import UsageError
from clf_cli.files import require_writable
from clf_cli.settings.resolved import Resolved
from clf_cli.training.batch_size import with_batch_size
from clf_cli.training.compilation import with_compilation
from clf_cli.training.image_workers import with_workers
from clf_cli.training.plan import PlanResult
from clf_cli.training.precision import with_precision
from clf_cli.training.result import TrainResult, finished_result
from clf_cli.training.start import NothingToDo, fresh_start
from clf_cli.training.watcher import Watcher
from clf_cli.values.progress import Progress
from clf_cli.values.run_dir import run_of
from clf_cli.values.run_lock import locked


def train(resolved: Resolved, watcher: Watcher, progress: Progress, command: Sequence[str]) -> TrainResult:
    """Trains, tests once with the best weights, exports and checks.

    Raises ClfError. Wrong settings and data are told before torch and Lightning are imported, which takes seconds. An
    export that fails leaves the run finished.
    """
    resume = resolved.settings.train.resume
    if resume is None:
        start = with_workers(fresh_start(resolved, progress, command))
        start = with_batch_size(start, resolved, progress)
        start = with_compilation(with_precision(start, resolved), resolved)
        from clf_cli.training.session import run_session  # torch and Lightning

        return run_session(start, watcher)
    run = run_of(resume)
    with contextlib.nullcontext() if run is None else locked(run, watcher.warn):
        return _continue(resume, resolved, watcher, progress, command)


def _continue(
    resume: Path, resolved: Resolved, watcher: Watcher, progress: Progress, command: Sequence[str]
) -> TrainResult:
    from clf_cli.training.restart import restarted_start, without_checkpoint  # torch
    from clf_cli.training.resume import resumed_start

    unbegun = without_checkpoint(resume)
    continued = (
        resumed_start(resolved, progress, command)
        if unbegun is None
        else restarted_start(unbegun, resolved, progress, command)
    )
    if isinstance(continued, NothingToDo):
        watcher.say(f"{continued.run.root} is finished after {continued.epochs} epochs; --epochs N extends it.")
        return finished_result(continued.run)
    require_writable(continued.run.root)
    from clf_cli.training.session import run_session  # torch and Lightning

    return run_session(continued, watcher)


def plan(resolved: Resolved, watcher: Watcher, progress: Progress, command: Sequence[str]) -> PlanResult:
    """What `train` would do with these settings, tried for two steps; writes nothing. Raises what `train` raises."""
    if resolved.settings.train.resume is not None:
        raise UsageError(
            "--dry-run plans a new run, and --resume continues one as it was planned.",
            "Leave one of them out; the settings and the course of a run are in its settings.toml and metrics.csv.",
        )
    start = with_workers(fresh_start(resolved, progress, command, remember=False))
    start = with_batch_size(start, resolved, progress)
    start = with_compilation(with_precision(start, resolved), resolved)
    from clf_cli.training.dry_run import dry_run  # torch and Lightning

    return dry_run(start, watcher)


def command_line() -> tuple[str, ...]:
    """The command as it was typed, the program's path left out."""
    return ("clf", *sys.argv[1:])
