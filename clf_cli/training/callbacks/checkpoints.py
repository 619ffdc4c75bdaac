"""best, last and the top three."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from clf_cli.engine.history import lower_is_better
from clf_cli.models.torch_files import save_torch
from clf_cli.training.best_kept import keep_best
from clf_cli.training.finite import require_finite
from clf_cli.training.lightning_door import Checkpoint, L
from clf_cli.training.scores import Row, Scoreboard
from clf_cli.training.second_name import copy_into_place
from clf_cli.values.run_dir import RunDir

TOP = 3
# epoch (from 1), row of the scored weights, whether a run may go on from it -> the `clf` key
Payload = Callable[[int, Row | None, bool], dict[str, Any]]
Weights = Callable[[], dict[str, Any]]  # -> {"state_dict", maybe "current_model_state"}


class Checkpoints(Checkpoint):
    """Writes at the end of an epoch, after every other callback: Lightning orders Checkpoint callbacks last.

    best.ckpt and top/ hold both weight sets and no optimiser; an epoch that is in both is one file of two names.
    last.ckpt holds all that resuming needs, and is written after the others: a run killed in between does the epoch
    again and writes the same files.
    """

    def __init__(
        self, run: RunDir, scores: Scoreboard, payload: Payload, monitor: str, every: int | None, accumulate: int
    ) -> None:
        self._run = run
        self._scores = scores
        self._payload = payload
        self._monitor = monitor
        self._every = every
        self._accumulate = accumulate
        self._top: list[Row] = []

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self._scores.best is not None:
            keep_best(self._run, self._scores, self._path(self._scores.best), self._monitor)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if (batch_idx + 1) % self._accumulate == 0 and not trainer.is_last_batch:
            self.keep_step(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        scored = self._scores.latest
        if scored is not None and scored.predictions is not None:
            self._keep_scored(trainer, pl_module, scored.row, scored.is_best)
        self.keep_step(trainer)  # of the epoch's last batch, after its validation
        trainer.save_checkpoint(self._run.last, weights_only=False)

    def keep_step(self, trainer: L.Trainer) -> None:
        """Writes the checkpoint of this optimiser step, where one is asked for."""
        if self._every and trainer.global_step % self._every == 0:
            trainer.save_checkpoint(self._run.step_checkpoint(trainer.global_step), weights_only=False)

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        rows = self._scores.rows
        scored = (
            len(rows) == trainer.current_epoch + 1
        )  # in mid-epoch the weights are others than those of the last row
        checkpoint["clf"] = self._payload(len(rows), rows[-1] if scored else None, True)

    def state_dict(self) -> dict[str, Any]:
        return {"top": self._top}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._top = list(state_dict["top"])

    def _keep_scored(self, trainer: L.Trainer, pl_module: L.LightningModule, row: Row, is_best: bool) -> None:
        sign = 1.0 if lower_is_better(self._monitor) else -1.0
        kept = sorted([*self._top, row], key=lambda entry: (sign * entry[self._monitor], entry["val/loss"]))[:TOP]
        if is_best or row in kept:
            payload = self._payload(int(row["epoch"]), row, False)
            checkpoint = self._scored_weights(trainer, pl_module) | {"clf": payload}
            require_finite(checkpoint)
            files = [*([self._path(row)] if row in kept else []), *([self._run.best] if is_best else [])]
            save_torch(checkpoint, files[0])
            for file in files[1:]:
                copy_into_place(files[0], file)
        self._top = kept
        for path in set(self._run.top.glob("epoch*.ckpt")) - {self._path(entry) for entry in kept}:
            path.unlink(missing_ok=True)  # also what an earlier course of the run left

    def _scored_weights(self, trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, Any]:
        """Both weight sets, as the EMA callback names them, in Lightning's layout."""
        checkpoint: dict[str, Any] = {
            "state_dict": pl_module.state_dict(),
            "epoch": trainer.current_epoch,
            "global_step": trainer.global_step,
            "pytorch-lightning_version": version("lightning"),
        }
        for callback in self._scored_by:
            callback.on_save_checkpoint(trainer, pl_module, checkpoint)
        return checkpoint

    _scored_by: tuple[L.Callback, ...] = ()

    def scored_by(self, *callbacks: L.Callback) -> "Checkpoints":
        """Names the callbacks (the EMA) whose weights the scores belong to."""
        self._scored_by = callbacks
        return self

    def _path(self, row: Row) -> Path:
        return self._run.top_checkpoint(int(row["epoch"]), row[self._monitor])
