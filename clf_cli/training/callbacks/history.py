"""Curves of loss, accuracy and learning rate."""

from pathlib import Path

from clf_cli.engine.history import HistoryResult, history
from clf_cli.files import write_json
from clf_cli.training.lightning_door import L
from clf_cli.training.pictures import Pictures
from clf_cli.training.publication import Publication
from clf_cli.training.scores import Scoreboard


class HistoryCallback(L.Callback):
    """N points after N epochs, because the row of an epoch is complete before this callback is called."""

    def __init__(self, scores: Scoreboard, publication: Publication, pictures: Pictures, monitor: str) -> None:
        self._scores = scores
        self._publication = publication
        self._pictures = pictures
        self._monitor = monitor

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        result = history(self._scores.rows, self._monitor)
        run = self._publication.run
        write_json(run.report("history"), self._publication.report(result).to_json())
        self._pictures.offer(run.history, lambda path: draw(result, path, run.root.name))


def draw(result: HistoryResult, path: Path, subject: str) -> None:
    """Draws the curves to a PNG file."""
    from clf_cli.render.curves import figure
    from clf_cli.render.figures import save_figure  # matplotlib: only where something is drawn

    save_figure(figure(result, subject=subject), path)
