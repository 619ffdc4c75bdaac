"""A grid of val images with what the network says of them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clf_cli.engine.samples import SamplesResult, sample_predictions
from clf_cli.files import write_json
from clf_cli.training.lightning_door import L
from clf_cli.training.pictures import Pictures
from clf_cli.training.publication import Publication
from clf_cli.training.scores import Scoreboard
from clf_cli.training.second_name import copy_into_place

Thumbnails = Callable[[Sequence[str]], list[npt.NDArray[np.uint8]]]  # paths to (H, W, 3) as the network saw them


class SamplesCallback(L.Callback):
    """The same images in every epoch, so that the grids can be compared."""

    def __init__(
        self, scores: Scoreboard, publication: Publication, pictures: Pictures, thumbnails: Thumbnails, count: int
    ) -> None:
        self._scores = scores
        self._publication = publication
        self._pictures = pictures
        self._thumbnails = thumbnails
        self._count = count

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        scored = self._scores.latest
        if scored is None or scored.predictions is None:
            return
        result = sample_predictions(scored.predictions, self._count)
        folder = self._publication.run.epoch(scored.epoch)
        write_json(folder / "samples.json", self._publication.val_report(result, scored.predictions).to_json())
        if scored.is_best:
            copy_into_place(folder / "samples.json", self._publication.run.report("samples"))
        self._pictures.offer(folder / "samples.png", lambda path: draw(result, self._thumbnails, path, scored.epoch))


def draw(result: SamplesResult, thumbnails: Thumbnails, path: Path, epoch: int) -> None:
    """Draws the grid to a PNG file."""
    from clf_cli.render.figures import save_figure  # matplotlib: only where something is drawn
    from clf_cli.render.samples import figure

    pictures = thumbnails([sample.path for sample in result.samples])
    save_figure(figure(result, pictures, subject=f"val, epoch {epoch}"), path)
