"""How many optimiser steps a run has, and the learning rate of each."""

import math
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
