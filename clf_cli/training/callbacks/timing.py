"""Seconds, images per second, data-wait share and memory of every epoch."""

import csv
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from clf_cli.training.lightning_door import L
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
    """Stands first, so that an epoch's time holds what the other callbacks cost.

    Its rows, and what it knows of an epoch under way, travel in the checkpoint: timing.csv has one row per epoch, with
    the time of all starts that its steps are of.
    """

    def __init__(self, run: RunDir, clock: Callable[[], float] = time.perf_counter) -> None:
        self._run = run
        self._clock = clock
        self._epoch_start = self._batch_end = clock()
        self._waited = self._trained = 0.0
        self._images = 0
        self._earlier = 0.0  # seconds of the epoch under way, before a resumption
        self.rows: list[EpochTiming] = []

    @property
    def wait_share(self) -> float:
        """Of the epoch under way."""
        total = self._waited + self._trained
        return self._waited / total if total else 0.0

    @property
    def seconds(self) -> float:
        """Of all epochs of the run, those before a resumption too."""
        return sum(row.seconds for row in self.rows)

    def state_dict(self) -> dict[str, Any]:
        under_way = (self._earlier + self._clock() - self._epoch_start, self._waited, self._trained, self._images)
        return {"rows": [asdict(row) for row in self.rows], "under_way": list(under_way)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = [EpochTiming(**row) for row in state_dict["rows"]]
        self._earlier, self._waited, self._trained, self._images = state_dict["under_way"]

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._epoch_start = self._batch_end = self._clock()
        if not self.rows and trainer.current_epoch and self._run.timing.is_file():
            self.rows = _read(self._run.timing)[: trainer.current_epoch]  # a checkpoint of clf before 0.2 has none
        if self.rows:
            self._write()
        else:
            self._run.timing.unlink(missing_ok=True)

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
        if trainer.is_last_batch and pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)  # what was launched is not done yet
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
                seconds=self._earlier + now - self._epoch_start,
                images_per_second=self._images / training if training else 0.0,
                data_wait=self.wait_share,
                memory_mb=max([peak_memory_mb(pl_module.device), *(row.memory_mb for row in self.rows[-1:])]),
            )
        )
        self._write()
        self._earlier = self._waited = self._trained = 0.0
        self._images = 0
        self._epoch_start = self._batch_end = now

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._batch_end = self._clock()

    def _write(self) -> None:
        """Whole, so that an epoch that a resumed run does again has one row."""
        from clf_cli.render.csv import write_csv

        rows = [
            (
                row.epoch,
                f"{row.seconds:.3f}",
                f"{row.images_per_second:.1f}",
                f"{row.data_wait:.4f}",
                f"{row.memory_mb:.0f}",
            )
            for row in self.rows
        ]
        write_csv(self._run.timing, COLUMNS, rows)


def _read(file: Path) -> list[EpochTiming]:
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return [EpochTiming(int(row["epoch"]), *(float(row[name]) for name in COLUMNS[1:])) for row in rows]


def peak_memory_mb(device: torch.device) -> float:
    """Highest memory so far in MB: allocated on the GPU, or resident in this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    if sys.platform == "win32":
        return float("nan")
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
