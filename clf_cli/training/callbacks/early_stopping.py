"""Early stopping that a resumed run continues: the epochs waited are restored, the patience is the settings'."""

from typing import Any

from clf_cli.training.lightning_door import EarlyStopping, L


class PatientStopping(EarlyStopping):
    """Lightning's, which restores the patience of the checkpoint over the one that was asked for, and forgets that it
    had stopped the run when that is killed before it is finished.

    With `anew` the epochs waited are counted from here: more epochs were asked for.
    """

    def __init__(self, monitor: str, min_delta: float, patience: int, mode: str, *, anew: bool) -> None:
        super().__init__(monitor, min_delta, patience, mode=mode, check_finite=False)
        self._anew = anew

    @property
    def state_key(self) -> str:
        return EarlyStopping.__qualname__ + repr({"monitor": self.monitor, "mode": self.mode})

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        patience = self.patience
        super().load_state_dict(state_dict)
        self.patience = patience
        if self._anew:
            self.wait_count = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.wait_count >= self.patience and not trainer.fit_loop.restarted_mid_epoch:
            trainer.should_stop = True
