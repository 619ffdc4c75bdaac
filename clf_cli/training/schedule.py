"""How many optimiser steps a run has, and the learning rate of each."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from clf_cli.settings.sections import OptimSection


@dataclass(frozen=True)
class StepPlan:
    """Optimiser steps: `per_epoch`, in all, and of the linear warm-up."""

    per_epoch: int
    total: int
    warmup: int


def plan_steps(optim: OptimSection, batches: int) -> StepPlan:
    """The plan for epochs of `batches` batches. An automatic warm-up is one epoch, at most a tenth of all steps."""
    per_epoch = math.ceil(batches / optim.accumulate)
    total = per_epoch * optim.epochs
    if optim.warmup_epochs == "auto":
        return StepPlan(per_epoch, total, min(per_epoch, total // 10))
    return StepPlan(per_epoch, total, min(total, round(optim.warmup_epochs * per_epoch)))


def lr_factor(step: int, plan: StepPlan) -> float:
    """Share of the peak learning rate at `step` (from 0): linear warm-up, then a cosine to zero after the last step."""
    if step < plan.warmup:
        return (step + 1) / plan.warmup
    progress = (step - plan.warmup) / max(1, plan.total - plan.warmup)
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress)))


@dataclass(frozen=True)
class Schedule:
    """The plans of a run and the step (from 0) from which each decides: one, and one more for each time that more
    epochs were asked for.

    From the step of an extension on, the learning rate is that of a run planned with the larger number of epochs; the
    steps before keep theirs. So it may step up there, never above the longer run's own curve, and ends at zero.
    """

    plans: tuple[tuple[int, StepPlan], ...]

    @property
    def total(self) -> int:
        """Optimiser steps in all."""
        return self.plans[-1][1].total

    def factor(self, step: int) -> float:
        """Share of the peak learning rate at `step`."""
        return lr_factor(step, next(plan for first, plan in reversed(self.plans) if first <= step))


def schedule_of(optim: OptimSection, batches: int, planned: Mapping[int, int]) -> Schedule:
    """`planned` maps first steps to epochs, for a run whose epochs grew; without it there is the plan of `optim`."""
    epochs = planned or {0: optim.epochs}
    return Schedule(
        tuple(
            (first, plan_steps(optim.model_copy(update={"epochs": epochs[first]}), batches)) for first in sorted(epochs)
        )
    )
