"""metrics.csv after every epoch, and the metrics of the best one as the run's report."""

from clf_cli.training.lightning_door import L
from clf_cli.training.publication import Publication
from clf_cli.training.scores import COLUMNS, Row, Scoreboard


class MetricsCallback(L.Callback):
    """metrics.csv is rewritten whole from the rows in memory, which a resumed run gets from its checkpoint."""

    def __init__(self, scores: Scoreboard, publication: Publication) -> None:
        self._scores = scores
        self._publication = publication

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Takes away the rows of epochs that a resumed run does again."""
        if self._scores.rows:
            write_metrics(self._publication, self._scores.rows)
        else:
            self._publication.run.metrics.unlink(missing_ok=True)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        write_metrics(self._publication, self._scores.rows)
        scored = self._scores.latest
        if scored is not None and scored.is_best and scored.metrics is not None and scored.predictions is not None:
            self._publication.publish(scored.metrics, scored.predictions)


def write_metrics(publication: Publication, rows: list[Row]) -> None:
    """Writes metrics.csv: one row per epoch, undefined values empty."""
    from clf_cli.render.csv import write_csv

    write_csv(publication.run.metrics, COLUMNS, [[row[name] for name in COLUMNS] for row in rows])
