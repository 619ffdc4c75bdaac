"""Ctrl-C and SIGTERM: save a resumable checkpoint, then stop."""

import shlex
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import lightning.pytorch as L

from clf_cli.errors import ClfError, InterruptedRunError, TerminatedRunError
from clf_cli.values.run_dir import RunDir

Handler = Callable[[int, FrameType | None], Any] | int | None


class StopCallback(L.Callback):
    """Ends training at the next optimiser step, or after the validation under way, with last.ckpt written.

    A second Ctrl-C stops at once. Lightning 2.6.6 ends with status 0 on SIGTERM and 1 on Ctrl-C, saving nothing.
    """

    def __init__(self, run: RunDir, accumulate: int, say: Callable[[str], None], *, saves: bool) -> None:
        self._run = run
        self._accumulate = accumulate
        self._say = say
        self._saves = saves
        self._received: int | None = None
        self._previous: dict[int, Handler] = {}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._receive)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        whole_step = (batch_idx + 1) % self._accumulate == 0
        if self._received is not None and whole_step and not trainer.is_last_batch:
            if self._saves:
                trainer.save_checkpoint(self._run.last, weights_only=False)
            raise self._stopped()

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self._received is not None:  # the epoch before was finished and saved
            raise self._stopped()

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._release()
        if self._received is not None:
            raise self._stopped()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self._release()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._received = number
        self._say("Stopping after this step, with a checkpoint. Ctrl-C again stops at once and loses this epoch.")

    def _stopped(self) -> ClfError:
        kind = InterruptedRunError if self._received == signal.SIGINT else TerminatedRunError
        if not self._saves:
            return kind("Stopped; --no-checkpoints kept nothing.")
        return kind(
            "Stopped, with a resumable checkpoint.",
            f"Continue with: clf train --resume {shlex.quote(str(self._run.root))}",
        )

    def _release(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
