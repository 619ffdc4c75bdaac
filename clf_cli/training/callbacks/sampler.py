"""Drawn against expected images per class, every epoch."""

from collections.abc import Callable

from clf_cli.files import write_json
from clf_cli.training.lightning_door import L
from clf_cli.training.publication import Publication
from clf_cli.training.second_name import copy_into_place
from clf_cli.values.report import Report

Draw = Callable[[int], Report]  # epoch from 0 -> what its sampler drew


class SamplerCallback(L.Callback):
    """The draw is a pure function of seed and epoch, so what was drawn is computed, not recorded on the way."""

    def __init__(self, draw: Draw, publication: Publication) -> None:
        self._draw = draw
        self._publication = publication

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        run = self._publication.run
        file = run.epoch(trainer.current_epoch + 1) / "sampler.json"
        write_json(file, self._draw(trainer.current_epoch).to_json())
        copy_into_place(file, run.report("sampler"))
