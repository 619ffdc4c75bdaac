"""A run whose files can no longer be written: what is intact, how it goes on, and what of it can still be recorded."""

import contextlib
import errno
from collections.abc import Iterator

from clf_cli.errors import ModelError, RunError, UnwritableError
from clf_cli.files import unwritable
from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.training.record import write_ended
from clf_cli.training.start import Start
from clf_cli.training.stopped import how_to_continue
from clf_cli.training.trackers.tracker import Ending
from clf_cli.training.watcher import Watcher
from clf_cli.values.run_dir import RunDir

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


@contextlib.contextmanager
def told_intact(run: RunDir) -> Iterator[None]:
    """In this block a file that cannot be written is an UnwritableError (exit 6) that says from where the run goes on.

    A library's own OSError becomes one where the disk is full or read-only.
    """
    try:
        yield
    except UnwritableError as error:
        raise UnwritableError(error.message, _next_step(run)) from error
    except OSError as error:
        if error.errno not in DISK:
            raise
        raise UnwritableError(unwritable(run.root, error).message, _next_step(run)) from error


def _next_step(run: RunDir) -> str:
    for path in (run.last, run.previous):
        with contextlib.suppress(ModelError):
            epoch = read_checkpoint(path).epoch
            return f"{path} of epoch {epoch} is whole. Free the disk or make it writable. {how_to_continue(run)}"
    return f"No checkpoint was saved yet. Free the disk or make it writable. {how_to_continue(run)}"


def ended(start: Start, status: Ending, watcher: Watcher) -> Ending:
    """Records how the run ended early, as far as that can be written, and returns what it is."""
    try:
        return write_ended(start.run, start.record, status)
    except (ModelError, RunError) as error:
        watcher.warn(f"That the run {status} is not recorded. {error.message}")
        return status
