"""best.ckpt of a run that goes on from a checkpoint before its newest: it may be of an epoch that is not done yet."""

from pathlib import Path

from clf_cli.errors import ModelError
from clf_cli.files import sync_folder
from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.training.scores import Row, Scoreboard
from clf_cli.training.second_name import copy_into_place
from clf_cli.values.run_dir import RunDir


def keep_best(run: RunDir, scores: Scoreboard, copy: Path, monitor: str) -> None:
    """Makes best.ckpt the best epoch's of `scores`, from `copy` among the top three.

    Where neither file holds that epoch any more, a later epoch becomes the best: the weights that are shipped and the
    score beside them must be of one epoch.
    """
    if scores.best is None or _is_of(run.best, scores.best, monitor):
        return
    if _is_of(copy, scores.best, monitor):
        copy_into_place(copy, run.best)
        sync_folder(run.checkpoints)
    else:
        scores.best = None


def _is_of(file: Path, row: Row, monitor: str) -> bool:
    """Whether `file` holds the weights of that row."""
    try:
        checkpoint = read_checkpoint(file)
    except ModelError:
        return False
    score = checkpoint.score
    return checkpoint.epoch == row["epoch"] and score is not None and score.value == row[monitor]
