"""The confusion matrix of every epoch."""

from pathlib import Path

from clf_cli.engine.confusion import ConfusionResult, confusion
from clf_cli.files import write_json
from clf_cli.training.lightning_door import L
from clf_cli.training.pictures import Pictures
from clf_cli.training.publication import Publication
from clf_cli.training.scores import Scoreboard
from clf_cli.training.second_name import copy_into_place


class ConfusionCallback(L.Callback):
    """Counts of every epoch, those of the best epoch as the run's report, pictures as the budget allows."""

    def __init__(self, scores: Scoreboard, publication: Publication, pictures: Pictures) -> None:
        self._scores = scores
        self._publication = publication
        self._pictures = pictures

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        scored = self._scores.latest
        if scored is None or scored.predictions is None:
            return
        result = confusion(scored.predictions)
        folder = self._publication.run.epoch(scored.epoch)
        write_json(folder / "confusion.json", self._publication.val_report(result, scored.predictions).to_json())
        write_counts(result, folder / "confusion.csv")
        if scored.is_best:
            for suffix in (".json", ".csv"):
                copy_into_place(folder / f"confusion{suffix}", self._publication.run.report("confusion", suffix))
        self._pictures.offer(folder / "confusion.png", lambda path: draw(result, path, scored.epoch))


def draw(result: ConfusionResult, path: Path, epoch: int) -> None:
    """Draws the matrix to a PNG file."""
    from clf_cli.render.confusion import figure  # matplotlib: only where something is drawn
    from clf_cli.render.figures import save_figure

    save_figure(figure(result, subject=f"val, epoch {epoch}"), path)


def write_counts(result: ConfusionResult, path: Path) -> None:
    """Writes the matrix as CSV, with the class names in the first row and column."""
    from clf_cli.render.confusion_rows import header, rows
    from clf_cli.render.csv import write_csv

    write_csv(path, header(result), rows(result))
