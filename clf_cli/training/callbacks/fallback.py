"""Training steps that go the slow way, told once."""

from collections.abc import Callable
from typing import Any

from clf_cli.training.lightning_door import L
from clf_cli.training.module import ClassifierModule


class Fallback(L.Callback):
    """Warns when the network could not be compiled or captured, after the step in which that showed."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._told = False

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, ClassifierModule)
        if not self._told and (why := pl_module.fallback) is not None:
            self._warn(why)
            self._told = True
