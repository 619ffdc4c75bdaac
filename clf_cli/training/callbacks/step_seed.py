"""Randomness of a step (dropout, mixup) as a function of seed, epoch and batch, so that a resumed run repeats it."""

import hashlib
from typing import Any

import torch

from clf_cli.training.lightning_door import L


def step_key(seed: int, epoch: int, batch: int) -> int:
    """A 56-bit key, different for every step of every seed."""
    digest = hashlib.blake2b(f"step/{seed}/{epoch}/{batch}".encode(), digest_size=7).digest()
    return int.from_bytes(digest, "little")


class StepSeed(L.Callback):
    """Seeds torch's generators before every step. Lightning saves no random state.

    Those of the CPU and of the run's device alone: torch.manual_seed formats a stack for each kind of device that is
    not in use, which costs 2 to 3 ms.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        key = step_key(self._seed, trainer.current_epoch, batch_idx)
        torch.default_generator.manual_seed(key)
        if pl_module.device.type == "cuda":
            torch.cuda.manual_seed_all(key)
        elif pl_module.device.type == "mps":
            torch.mps.manual_seed(key)
