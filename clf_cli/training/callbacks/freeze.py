"""Epochs in which only the head learns."""

from typing import Any

from clf_cli.training.lightning_door import L
from clf_cli.training.module import ClassifierModule
from clf_cli.training.optimizer import head_parameters


class FreezeBody(L.Callback):
    """Freezes all but the head, BatchNorm statistics included, in the first epochs.

    Checked at every batch: Lightning 2.6.6 does not call on_train_epoch_start when it resumes in mid-epoch, and
    restores training mode after validation.
    """

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, ClassifierModule)
        frozen = trainer.current_epoch < self._epochs
        if not frozen and trainer.current_epoch > self._epochs:
            return
        head = head_parameters(pl_module.network)
        for parameter in pl_module.network.parameters():
            parameter.requires_grad_(id(parameter) in head or not frozen)
        pl_module.network.train(not frozen)
