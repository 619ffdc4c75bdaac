"""Steps that were not taken, told as they happen and counted over the run."""

from collections.abc import Callable
from typing import Any

from clf_cli.render.text import counted
from clf_cli.training.lightning_door import L
from clf_cli.training.module import ClassifierModule


class SkippedSteps(L.Callback):
    """Warns of each step that `--on-nan skip` leaves out, and of their number at the end of an epoch.

    The counts travel in the checkpoint. It stands before the callbacks that save.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._restored = {"skipped": 0, "in_a_row": 0}
        self._told = 0
        self.skipped = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, ClassifierModule)
        pl_module.guard.skipped, pl_module.guard.in_a_row = self._restored["skipped"], self._restored["in_a_row"]

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, ClassifierModule)
        guard = pl_module.guard
        if guard.skipped > self.skipped:
            self._warn(f"This step was skipped. {guard.refused}")
        self.skipped = guard.skipped
        self._restored = {"skipped": guard.skipped, "in_a_row": guard.in_a_row}

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.skipped > self._told:
            steps = counted(self.skipped - self._told, "step")
            self._warn(f"Epoch {trainer.current_epoch + 1}: {steps} skipped; {self.skipped} in the run so far.")
        self._told = self.skipped

    def state_dict(self) -> dict[str, Any]:
        return {**self._restored, "told": self._told}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._told = state_dict["told"]
        self.skipped = state_dict["skipped"]
        self._restored = {name: state_dict[name] for name in self._restored}
