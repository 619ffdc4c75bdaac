"""The live bar, or one line per epoch."""

import time
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from clf_cli.training.callbacks.timing import TimingCallback
from clf_cli.training.lightning_door import L
from clf_cli.training.scores import EpochScores, Scoreboard
from clf_cli.training.watcher import Watcher

REFRESH_S = 0.5  # a read of the loss makes a GPU wait


class ProgressCallback(L.Callback):
    """A bar with time left and data-wait share while a person watches; a line per epoch in any case."""

    def __init__(self, watcher: Watcher, scores: Scoreboard, timing: TimingCallback, epochs: int) -> None:
        self._watcher = watcher
        self._scores = scores
        self._timing = timing
        self._epochs = epochs
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._read = 0.0
        self._said: EpochScores | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self._watcher.console is None:
            return
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[state]}"),
            console=self._watcher.console,
            transient=True,
        )
        total = int(trainer.num_training_batches) * self._epochs
        done = trainer.current_epoch * int(trainer.num_training_batches) + trainer.fit_loop.epoch_loop.batch_idx + 1
        self._task = self._bar.add_task("", total=total, completed=done, state="")
        self._bar.start()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._bar is None or self._task is None:
            return
        self._bar.advance(self._task)
        if time.monotonic() - self._read > REFRESH_S:
            loss = outputs["loss"] if isinstance(outputs, dict) else outputs
            state = f"loss {float(torch.as_tensor(loss)):.3f}  data wait {self._timing.wait_share:.0%}"
            description = f"epoch {trainer.current_epoch + 1}/{self._epochs}"
            self._bar.update(self._task, description=description, state=state)
            self._read = time.monotonic()

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._say_epoch()

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._close()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self._close()

    def _say_epoch(self) -> None:
        """Says an epoch once its checkpoint is on the disk: what was said is not lost when the process dies."""
        scored = self._scores.latest
        if scored is not None and scored is not self._said:
            self._said = scored
            self._watcher.say(epoch_line(scored, self._epochs, self._timing))

    def _close(self) -> None:
        self._say_epoch()
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def epoch_line(scored: EpochScores, epochs: int, timing: TimingCallback) -> str:
    """One epoch in one line."""
    row, clock = scored.row, timing.rows[-1]
    parts = [
        f"epoch {scored.epoch:>{len(str(epochs))}}/{epochs}",
        f"train loss {row['train/loss']:.3f} top-1 {row['train/acc_top1']:.1%}",
    ]
    if scored.predictions is not None:
        best = " (best)" if scored.is_best else ""
        parts.append(f"val loss {row['val/loss']:.3f} top-1 {row['val/acc_top1']:.1%}{best}")
    else:
        parts.append("never validated")
    parts.append(f"{clock.seconds:.1f} s, {clock.images_per_second:.0f} img/s, data wait {clock.data_wait:.0%}")
    return "  ".join(parts)
