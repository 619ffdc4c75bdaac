"""What a run would do and cost: the result of `clf train --dry-run`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from clf_cli.training.schedule import StepPlan
from clf_cli.values.preprocess import Preprocess
from clf_cli.values.report import FindingJson, finding


@dataclass(frozen=True)
class PlannedData:
    """`images` and `skipped` by split; `per_epoch` are the training images that an epoch draws."""

    path: str
    fingerprint: str
    classes: int
    images: Mapping[str, int]
    skipped: int
    per_epoch: int


@dataclass(frozen=True)
class PlannedModel:
    """`start` says in a sentence which weights it starts from."""

    arch: str
    parameters: int
    multiply_adds: int  # of one image
    preprocess: Preprocess
    start: str


@dataclass(frozen=True)
class PlannedTraining:
    """Settings that decide the numbers of the run, `auto` as what it became."""

    epochs: int
    batch_size: int
    accumulate: int
    optimizer: str
    lr: float
    weight_decay: float
    steps: StepPlan
    ema_decay: float | None  # None: no moving average
    monitor: str | None  # None: never validated
    patience: int | None  # epochs; None: does not stop early
    callbacks: tuple[str, ...]
    trackers: tuple[str, ...]
    opset: int | None  # of the exported file; None: no export


@dataclass(frozen=True)
class PlannedCompute:
    device: str
    precision: str
    threads: int
    workers: int
    compile: str


@dataclass(frozen=True)
class Tried:
    """What was measured: optimiser steps, then one batch of validation.

    `batch_seconds` is the mean of the batches after the first step, which is slower than the others; of all of them
    (`warm` is False) where there was only one step.
    """

    steps: int
    batches: int
    batch_seconds: float
    warm: bool
    val_images: int
    val_seconds: float  # of those images; NaN without validation
    memory_mb: float  # highest so far
    memory_of: str  # `cuda:0`, or `this process`


@dataclass(frozen=True)
class Costs:
    """Estimates: seconds of training and validation, without test and export; decoded images that stay in memory beside
    what was measured; the most that the run may write."""

    epoch_seconds: float
    seconds: float
    images_mb: float
    checkpoints_mb: float
    export_mb: float
    reports_mb: float  # reports and pictures
    free_mb: float  # on the disk of the run's folder

    @property
    def disk_mb(self) -> float:
        return self.checkpoints_mb + self.export_mb + self.reports_mb

    @property
    def findings(self) -> tuple[FindingJson, ...]:
        if self.disk_mb <= self.free_mb:
            return ()
        reason = f"the run may write {self.disk_mb:,.0f} MB and {self.free_mb:,.0f} MB are free"
        return (finding("disk", reason),)


@dataclass(frozen=True)
class PlanResult:
    """Everything that is known before the first epoch; `run` is the folder that a run started now would take."""

    kind: ClassVar[str] = "plan"

    run: str
    data: PlannedData
    model: PlannedModel
    training: PlannedTraining
    compute: PlannedCompute
    tried: Tried
    costs: Costs

    def to_result(self) -> dict[str, Any]:
        plain = asdict(self)
        plain["model"]["preprocess"] = self.model.preprocess.to_json()
        plain["costs"]["disk_mb"] = self.costs.disk_mb
        return plain
