"""Seconds of each part of an epoch, from the marks that Lightning's loop sets for profilers."""

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch

from clf_cli.training.lightning_door import L, Profiler
from clf_cli.training.train_benchmark import Part

PARTS: tuple[tuple[str, Part], ...] = (  # the first whose text is in a mark's name
    ("guard", "guards"),
    ("gradient_clipping", "guards"),
    ("Ema.", "moving average"),
    ("dataloader_next", "data wait"),
    ("val_next", "validation"),
    ("validation", "validation"),
    ("batch_to_device", "data wait"),
    ("training_step", "forward and backward"),
    ("backward", "forward and backward"),
    ("zero_grad", "forward and backward"),
    ("LightningModule]ClassifierModule.optimizer_step", "optimiser"),
    ("Checkpoint", "checkpoints"),
    ("checkpoint", "checkpoints"),
    ("[Callback]", "other callbacks"),
)


def part_of(mark: str) -> Part:
    """The part that a mark's own time belongs to: what lies between all marks is the loop."""
    return next((part for text, part in PARTS if text in mark), "training loop")


class Laps(Profiler):
    """Keeps each part's own seconds per epoch: a mark inside another takes its time away from that.

    `waits_for` is a device whose queue is emptied at every mark of the last epoch; before it, and elsewhere, marks
    cost nothing.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__()
        self._clock = clock
        self._open: list[str] = []
        self._since = clock()
        self._ledger: defaultdict[Part, float] = defaultdict(float)
        self.epochs: list[defaultdict[Part, float]] = []
        self.waits_for: torch.device | None = None

    def start(self, action_name: str) -> None:
        self._book()
        self._open.append(action_name)

    def stop(self, action_name: str) -> None:
        self._book()
        self._open.remove(action_name)

    def begin(self) -> None:
        """Everything from here on is of the next epoch."""
        self._book()
        self._ledger = defaultdict(float)
        self.epochs.append(self._ledger)

    def end(self) -> None:
        """Nothing after this is of an epoch."""
        self._book()
        self._ledger = defaultdict(float)

    def around(self, call: Callable[..., Any], mark: str) -> Callable[..., Any]:
        """The same, its time under `mark`."""

        def timed(*arguments: Any, **named: Any) -> Any:
            with self.profile(mark):
                return call(*arguments, **named)

        return timed

    def _book(self) -> None:
        if self.waits_for is not None:
            torch.cuda.synchronize(self.waits_for)
        now = self._clock()
        self._ledger[part_of(self._open[-1]) if self._open else "training loop"] += now - self._since
        self._since = now


class TimedCalls:
    """An object whose methods' time is a part of its own."""

    def __init__(self, inner: object, laps: Laps, mark: str) -> None:
        self._inner, self._laps, self._mark = inner, laps, mark

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        return self._laps.around(value, self._mark) if callable(value) else value


class Epochs(L.Callback):
    """Tells the laps where epochs begin; stands first."""

    def __init__(self, laps: Laps, last: int) -> None:
        self._laps, self._last = laps, last

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.current_epoch == self._last and pl_module.device.type == "cuda":
            self._laps.waits_for = pl_module.device
        self._laps.begin()

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._laps.end()
