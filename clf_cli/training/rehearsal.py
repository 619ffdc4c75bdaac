"""The first two steps of a run and one batch of its validation, with everything that a run steps with."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from clf_cli.training.callbacks.timing import peak_memory_mb
from clf_cli.training.feed import Feed
from clf_cli.training.fit import run_trainer, scoreboard, step_callbacks
from clf_cli.training.lightning_door import L
from clf_cli.training.plan import Tried
from clf_cli.training.start import Start
from clf_cli.training.trainer import Limits, build_trainer
from clf_cli.values.predictions import EVAL_BATCH

STEPS = 2


class StepClock(L.Callback):
    """Seconds of every training batch, the wait for it included, and of the validation."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._mark = clock()
        self.batches: list[float] = []
        self.validation = float("nan")

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._lap(pl_module)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.batches.append(self._lap(pl_module))

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._lap(pl_module)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.validation = self._lap(pl_module)

    def _lap(self, module: L.LightningModule) -> float:
        """Seconds since the last call, once the device has done what it was given."""
        if module.device.type == "cuda":
            torch.cuda.synchronize(module.device)
        before, self._mark = self._mark, self._clock()
        return self._mark - before


def rehearse(start: Start, network: nn.Module, feed: Feed) -> Tried:
    """Trains `network` for two optimiser steps and validates one batch; writes nothing.

    Raises what a run raises: RunError (exit 6) when memory runs out or the loss is not finite.
    """
    optim = start.settings.optim
    limits = limits_of(len(feed.train_loader), optim.accumulate, optim.epochs)
    clock = StepClock()
    seen = first_batch(feed)
    trainer = build_trainer(start, [*step_callbacks(start), scoreboard(start, seen), clock], limits)
    run_trainer(trainer, start, network, seen)
    first = min(limits.train_batches, optim.accumulate)  # batches of the first step
    warm = len(clock.batches) > first
    measured = clock.batches[first:] if warm else clock.batches
    device = start.compute.device
    return Tried(
        steps=trainer.global_step,
        batches=len(clock.batches),
        batch_seconds=sum(measured) / len(measured),
        warm=warm,
        val_images=0 if seen.val is None else len(seen.val.paths),
        val_seconds=clock.validation,
        memory_mb=peak_memory_mb(torch.device(device)),
        memory_of=device if device.startswith("cuda") else "this process",
    )


def limits_of(batches: int, accumulate: int, epochs: int) -> Limits:
    """Two optimiser steps: in one epoch where it has as many, else in two, where the run has as many."""
    within = min(batches, STEPS * accumulate)
    return Limits(within, val_batches=1, epochs=1 if within > accumulate else min(STEPS, epochs))


def first_batch(feed: Feed) -> Feed:
    """The feed with the val images of one batch: what is scored are these."""
    if feed.val is None:
        return feed
    val = replace(feed.val, paths=feed.val.paths[:EVAL_BATCH], targets=feed.val.targets[:EVAL_BATCH])
    return replace(feed, val=val)
