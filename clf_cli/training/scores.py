"""The scores of a run, epoch by epoch: what every other callback is told."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clf_cli.engine.history import lower_is_better
from clf_cli.engine.metrics import MetricsResult, metrics
from clf_cli.errors import RunError
from clf_cli.training.lightning_door import L, Metric
from clf_cli.training.module import ClassifierModule
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions, Skipped

COLUMNS = (
    "epoch",
    "train/loss",
    "train/acc_top1",
    "val/loss",
    "val/acc_top1",
    "val/acc_top5",
    "val/f1_macro",
    "val/ece",
    "lr",
    "images",
)
Row = dict[str, float]


@dataclass(frozen=True)
class ValImages:
    """What is known of the val split before any of it is scored."""

    paths: tuple[str, ...]
    targets: tuple[int, ...]
    labels: Labels
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True)
class EpochScores:
    """One finished epoch; `epoch` counts from 1. Without validation there are no predictions."""

    epoch: int
    row: Row
    predictions: Predictions | None
    metrics: MetricsResult | None
    is_best: bool


def is_better(row: Row, best: Row | None, monitor: str) -> bool:
    """Whether `row` beats `best`. Equal values: the lower val loss wins, then the earlier epoch."""
    if best is None:
        return True
    sign = -1.0 if lower_is_better(monitor) else 1.0
    new, old = sign * row[monitor], sign * best[monitor]
    if math.isnan(new) or math.isnan(old):
        return math.isnan(old) and not math.isnan(new)
    return new > old or (new == old and row["val/loss"] < best["val/loss"])


class Scoreboard(L.Callback):
    """Collects what `validation_step` returned, computes the epoch's row and knows the best epoch.

    It stands first among the callbacks, so that the others read `latest` in `on_validation_end` or
    `on_train_epoch_end`. No second forward pass. Its rows travel in the checkpoint: a resumed run rewrites metrics.csv.
    """

    def __init__(self, val: ValImages | None, monitor: str, rate: Callable[[int], float] | None, images: int) -> None:
        self._val = val
        self._monitor = monitor
        self._rate = rate  # of an optimiser step, from 0; None: not recorded
        self._images = images  # training images of an epoch
        self._logits: list[Tensor] = []
        self.rows: list[Row] = []
        self.best: Row | None = None
        self.latest: EpochScores | None = None
        self.best_scores: EpochScores | None = None  # None also when the best epoch was before a resumption

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._logits = []

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self._logits.append(outputs)

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, ClassifierModule)
        assert self._val is not None
        logits = torch.cat(self._logits).cpu().numpy()
        self._logits = []
        if not np.isfinite(logits).all():
            raise RunError(
                f"The network's outputs became NaN or infinite in epoch {trainer.current_epoch + 1}.",
                "Lower --lr, set --clip-grad, or train in --precision fp32; the earlier checkpoints are intact.",
            )
        targets = np.array(self._val.targets, dtype=np.int64)
        predictions = Predictions(self._val.paths, targets, logits, self._val.labels, self._val.skipped)
        scored = metrics(predictions)
        row = self._row(trainer, pl_module) | {
            "val/loss": scored.loss,
            "val/acc_top1": scored.acc_top1,
            "val/acc_top5": scored.acc_top5,
            "val/f1_macro": scored.f1_macro,
            "val/ece": scored.ece,
        }
        self._finish(pl_module, row, predictions, scored)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self._val is None:
            assert isinstance(pl_module, ClassifierModule)
            nothing = {name: math.nan for name in COLUMNS if name.startswith("val/")}
            self._finish(pl_module, self._row(trainer, pl_module) | nothing, None, None)

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        assert isinstance(pl_module, ClassifierModule)
        checkpoint["train_metrics"] = [_state(metric) for metric in _train_metrics(pl_module)]

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        assert isinstance(pl_module, ClassifierModule)
        for metric, state in zip(_train_metrics(pl_module), checkpoint["train_metrics"], strict=True):
            _restore(metric, state)

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows, self.best = list(state_dict["rows"]), state_dict["best"]

    def _row(self, trainer: L.Trainer, module: ClassifierModule) -> Row:
        loss, top1 = (float(metric.compute()) for metric in _train_metrics(module))
        for metric in _train_metrics(module):
            metric.reset()
        return {
            "epoch": trainer.current_epoch + 1,
            "train/loss": loss,
            "train/acc_top1": top1,
            "lr": math.nan if self._rate is None else self._rate(trainer.global_step - 1),
            "images": self._images,
        }

    def _finish(
        self, module: ClassifierModule, row: Row, predictions: Predictions | None, scored: MetricsResult | None
    ) -> None:
        row = {name: row[name] for name in COLUMNS}
        module.log_dict({name: value for name, value in row.items() if "/" in name and not math.isnan(value)})
        best = predictions is not None and is_better(row, self.best, self._monitor)
        if best:
            self.best = row
        self.rows.append(row)
        self.latest = EpochScores(int(row["epoch"]), row, predictions, scored, best)
        if best:
            self.best_scores = self.latest


def _train_metrics(module: ClassifierModule) -> tuple[Metric, Metric]:
    return module.train_loss, module.train_top1


def _state(metric: Metric) -> dict[str, Any]:
    """torchmetrics keeps its states out of `state_dict` unless persistent, and then under the network's keys."""
    return {name: value for name, value in metric.metric_state.items() if isinstance(value, Tensor)}


def _restore(metric: Metric, state: dict[str, Any]) -> None:
    for name, value in state.items():
        setattr(metric, name, value.to(metric.device))
    metric._update_count = 1  # else compute() warns that nothing was updated
    metric._computed = None
