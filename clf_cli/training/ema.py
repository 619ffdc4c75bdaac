"""Exponential moving average of the weights: the weights that validate, are scored, stop early and ship."""

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from clf_cli.settings.sections import EmaSection
from clf_cli.training.lightning_door import L
from clf_cli.training.module import ClassifierModule

NETWORK_PREFIX = "network."
Pairs = tuple[tuple[list[Tensor], list[Tensor]], ...]


def ramped_decay(updates: int, decay: float) -> float:
    """Decay of the update after `updates` updates: min(decay, (1 + n) / (10 + n))."""
    return min(decay, (1 + updates) / (10 + updates))


class Ema(L.Callback):
    """Averages the network once per optimiser step and swaps the average in while validation runs.

    Checkpoints keep Lightning's layout: `state_dict` is the average, `current_model_state` the live weights, also when
    one is saved inside validation. Integer buffers are copied, never averaged; floating ones (BatchNorm statistics)
    are averaged. No host read per step. Lightning's own EMAWeightAveraging crosses the two states when it is
    saved on an exception in validation, averages integers and reads the device twice per step.
    """

    def __init__(self, section: EmaSection) -> None:
        self._decay = section.decay
        self._warmup_steps = section.warmup_steps
        self._average: nn.Module | None = None
        self._updates = 0
        self._seen_step = 0
        self._swapped = False
        self._listed: Pairs | None = None  # listing costs four times as much as an update

    @property
    def average(self) -> nn.Module:
        assert self._average is not None, "set in setup()"
        return self._average

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if self._average is None:
            self._average = deepcopy(_network(pl_module)).eval().requires_grad_(False)

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.average.to(pl_module.device)
        self._listed = None

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step <= self._seen_step:  # a micro-batch of an accumulated step
            return
        self._seen_step = trainer.global_step
        if not _taken(pl_module):
            return
        floats, others = self._pairs(pl_module)
        if self._seen_step <= self._warmup_steps:
            torch._foreach_copy_(floats[0], floats[1])
        else:
            torch._foreach_lerp_(floats[0], floats[1], 1.0 - ramped_decay(self._updates, self._decay))
            self._updates += 1
        if others[0]:
            torch._foreach_copy_(others[0], others[1])

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not self._swapped:
            self._exchange(pl_module)

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._restore(pl_module)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self._restore(pl_module)

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        average, live = self.average.state_dict(), _network(pl_module).state_dict()
        if self._swapped:
            average, live = live, average
        checkpoint["state_dict"] = _prefixed(average)
        checkpoint["current_model_state"] = _prefixed(live)

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        self.average.load_state_dict(_unprefixed(checkpoint["state_dict"]))
        _network(pl_module).load_state_dict(_unprefixed(checkpoint["current_model_state"]))

    def state_dict(self) -> dict[str, Any]:
        return {"updates": self._updates, "seen_step": self._seen_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._updates, self._seen_step = state_dict["updates"], state_dict["seen_step"]

    def _restore(self, pl_module: L.LightningModule) -> None:
        if self._swapped:
            self._exchange(pl_module)

    @torch.no_grad()
    def _exchange(self, pl_module: L.LightningModule) -> None:
        for averages, lives in self._pairs(pl_module):
            for average, live in zip(averages, lives, strict=True):  # 8 ms for a resnet18; all at once 26
                kept = average.clone()
                average.copy_(live)
                live.copy_(kept)
        self._swapped = not self._swapped

    def _pairs(self, pl_module: L.LightningModule) -> Pairs:
        """(average, live) tensors: floating ones, then the others. Listed once the network lies on its device."""
        if self._listed is None:
            averages, lives = _tensors(self.average), _tensors(_network(pl_module))
            floats = [index for index, tensor in enumerate(lives) if tensor.is_floating_point()]
            others = [index for index, tensor in enumerate(lives) if not tensor.is_floating_point()]
            self._listed = tuple(
                ([averages[i] for i in chosen], [lives[i] for i in chosen]) for chosen in (floats, others)
            )
        return self._listed


def _taken(pl_module: L.LightningModule) -> bool:
    """Whether the step changed the weights: one that is skipped does not count as an update."""
    return not isinstance(pl_module, ClassifierModule) or pl_module.guard.taken


def _network(pl_module: L.LightningModule) -> nn.Module:
    network = pl_module.network
    assert isinstance(network, nn.Module)
    return network


def _tensors(module: nn.Module) -> list[Tensor]:
    return [tensor.detach() for tensor in (*module.parameters(), *module.buffers())]


def _prefixed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{NETWORK_PREFIX}{name}": tensor for name, tensor in state.items()}


def _unprefixed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(NETWORK_PREFIX): tensor for name, tensor in state.items()}
