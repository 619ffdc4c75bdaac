"""A run that a signal ended: what is kept of it, and how it goes on."""

import contextlib
import shlex
import signal
from collections.abc import Iterator

from clf_cli.data.workers import WorkerError, told_workers
from clf_cli.errors import ClfError, RunError, StoppedRunError
from clf_cli.training.record import write_ended
from clf_cli.training.trackers.tracker import Ending
from clf_cli.values.run_dir import RunDir
from clf_cli.values.run_record import RunRecord


def stopped_run(run: RunDir, number: int, status: Ending = "interrupted", *, saves: bool) -> StoppedRunError:
    """The error whose exit code is the shell's for the signal `number`."""
    name = signal.Signals(number).name
    if status == "finished":
        return StoppedRunError(f"Stopped by {name}.", unfinished_export(run), number)
    if not saves:
        return StoppedRunError(f"Stopped by {name}; --no-checkpoints kept nothing.", None, number)
    kept = "with a resumable checkpoint" if run.last.is_file() else "before its first checkpoint"
    return StoppedRunError(f"Stopped by {name}, {kept}.", how_to_continue(run), number)


def how_to_continue(run: RunDir) -> str:
    """The next step after a run that is not finished."""
    return f"Continue with: clf train --resume {shlex.quote(str(run.root))}"


def unfinished_export(run: RunDir) -> str:
    """The next step after a run that is finished and was ended in its export."""
    return f"The training is finished, but the export is not. {how_to_continue(run)}"


def left_at_once(run: RunDir, record: RunRecord, *, saves: bool) -> str:
    """Records a run that ends this moment, and returns what to say of it. Raises nothing."""
    with contextlib.suppress(ClfError, OSError):
        if write_ended(run, record, "interrupted") == "finished":
            return unfinished_export(run)
    return f"The work since the last checkpoint is lost. {how_to_continue(run)}" if saves else "Nothing is kept."


@contextlib.contextmanager
def resumable_without_workers(run: RunDir) -> Iterator[None]:
    """In this block a worker that died is a RunError (exit 6) that says how the run continues."""
    try:
        with told_workers():
            yield
    except WorkerError as error:
        if not run.last.is_file():
            raise
        raise RunError(error.message, f"{error.hint} {how_to_continue(run)} --workers 0") from error
