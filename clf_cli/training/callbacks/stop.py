"""Signals in training: save a resumable checkpoint, then stop."""

from collections.abc import Callable
from typing import Any

from clf_cli import signals
from clf_cli.training.callbacks.checkpoints import Checkpoints
from clf_cli.training.lightning_door import L
from clf_cli.training.stopped import stopped_run
from clf_cli.values.run_dir import RunDir

_VAL_PROGRESS = "epoch_loop.val_loop.batch_progress"
_BEGUN = {"ready": 1, "started": 1, "processed": 0, "completed": 0}
_NOTHING = dict.fromkeys(_BEGUN, 0)


class StopCallback(L.Callback):
    """Ends training at the next optimiser step, or at the next batch of a validation, with last.ckpt written.

    A second signal ends the process at once. Lightning 2.6.6 ends with status 0 on SIGTERM and 1 on Ctrl-C, saving
    nothing.
    """

    def __init__(self, run: RunDir, accumulate: int, say: Callable[[str], None], *, keeper: Checkpoints | None) -> None:
        self._run = run
        self._accumulate = accumulate
        self._say = say
        self._keeper = keeper
        self._holds = False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        signals.defer(self._announce)
        self._holds = True

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        whole_step = (batch_idx + 1) % self._accumulate == 0
        if whole_step and not trainer.is_last_batch:
            if self._keeper is not None and signals.received() is not None:
                self._keeper.keep_step(trainer)  # its own turn is after this callback's
            self._stop(trainer)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        trainer.fit_loop.epoch_loop.val_loop.batch_progress.total.reset()  # of a resumed one: see below

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self._stop(trainer)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._raise()  # the epoch before was finished and saved

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._release()
        self._raise()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self._release()

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """A checkpoint of a validation says that none of its batches is done: Lightning 2.6.6 would leave out as many
        at the end, or the whole validation."""
        if trainer.validating:
            progress = checkpoint["loops"]["fit_loop"][_VAL_PROGRESS]
            progress.update(total=_BEGUN, current=_NOTHING, is_last_batch=False)

    def _stop(self, trainer: L.Trainer) -> None:
        if signals.received() is None:
            return
        if self._keeper is not None:
            signals.take_time()
            trainer.save_checkpoint(self._run.last, weights_only=False)
        self._raise()

    def _raise(self) -> None:
        number = signals.received()
        if number is not None:
            raise stopped_run(self._run, number, saves=self._keeper is not None)

    def _announce(self) -> None:
        kept = "with a checkpoint" if self._keeper is not None else "without a checkpoint (--no-checkpoints)"
        self._say(f"Stopping after this step, {kept}. Ctrl-C or SIGTERM again stops at once.")

    def _release(self) -> None:
        if self._holds:
            signals.release()
            self._holds = False
