"""Scores and pictures of every epoch, to the trackers."""

from clf_cli.training.lightning_door import L
from clf_cli.training.scores import Row, Scoreboard
from clf_cli.training.trackers.group import Trackers
from clf_cli.values.run_dir import RunDir


class TrackingCallback(L.Callback):
    """Stands after the callbacks that draw, so that an epoch's pictures are there."""

    def __init__(self, scores: Scoreboard, trackers: Trackers, run: RunDir) -> None:
        self._scores = scores
        self._trackers = trackers
        self._run = run

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        scored = self._scores.latest
        if scored is not None:
            self._trackers.scores(tracked(scored.row), scored.epoch)
            self._trackers.pictures(self._run, scored.epoch)


def tracked(row: Row) -> dict[str, float]:
    """What trackers are told of an epoch's row: its scores and the learning rate."""
    return {name: value for name, value in row.items() if "/" in name or name == "lr"}
