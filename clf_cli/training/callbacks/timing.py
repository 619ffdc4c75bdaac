"""Seconds, images per second, data-wait share and memory of every epoch."""

import csv
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as L
import torch

from clf_cli.values.run_dir import RunDir

COLUMNS = ("epoch", "seconds", "images_per_second", "data_wait", "memory_mb")


@dataclass(frozen=True)
class EpochTiming:
    """`seconds` of training and validation; `data_wait` is the share of training spent waiting for batches;
    `memory_mb` the highest so far, of the GPU if there is one, else of the process."""

    epoch: int
    seconds: float
    images_per_second: float
    data_wait: float
    memory_mb: float


class TimingCallback(L.Callback):
    """Stands first, so that an epoch's time holds what the other callbacks cost."""

    def __init__(self, run: RunDir, clock: Callable[[], float] = time.perf_counter) -> None:
        self._run = run
        self._clock = clock
        self._epoch_start = self._batch_end = clock()
        self._waited = self._trained = 0.0
        self._images = 0
        self.rows: list[EpochTiming] = []

    @property
    def wait_share(self) -> float:
        """Of the epoch under way."""
        total = self._waited + self._trained
        return self._waited / total if total else 0.0

    @property
    def seconds(self) -> float:
        """Of all epochs of the run, those before a resumption too."""
        with self._run.timing.open(encoding="utf-8", newline="") as file:
            return sum(float(row["seconds"]) for row in csv.DictReader(file))

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._epoch_start = self._batch_end = self._clock()

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._batch_end = self._clock()  # what the end of the epoch before took is not waiting

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        now = self._clock()
        self._waited += now - self._batch_end
        self._batch_end = now

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = self._clock()
        self._trained += now - self._batch_end
        self._batch_end = now
        self._images += len(batch[1])

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        now = self._clock()
        training = self._waited + self._trained
        self.rows.append(
            EpochTiming(
                epoch=trainer.current_epoch + 1,
                seconds=now - self._epoch_start,
                images_per_second=self._images / training if training else 0.0,
                data_wait=self.wait_share,
                memory_mb=peak_memory_mb(pl_module.device),
            )
        )
        self._write()
        self._waited = self._trained = 0.0
        self._images = 0
        self._epoch_start = self._batch_end = now

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._batch_end = self._clock()

    def _write(self) -> None:
        """Appends: a resumed run keeps the rows of the runs before it."""
        new = not self._run.timing.exists()
        row = self.rows[-1]
        with self._run.timing.open("a", encoding="utf-8", newline="") as file:
            if new:
                file.write(",".join(COLUMNS) + "\n")
            file.write(
                f"{row.epoch},{row.seconds:.3f},{row.images_per_second:.1f},{row.data_wait:.4f},{row.memory_mb:.0f}\n"
            )


def peak_memory_mb(device: torch.device) -> float:
    """Highest memory so far in MB: allocated on the GPU, or resident in this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    if sys.platform == "win32":
        return float("nan")
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
