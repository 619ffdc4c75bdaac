"""Training steps on tensors in memory and nothing else: the limit of a network, size, batch and precision here."""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import torch
from torch import nn

from clf_cli.models.exact import laid_out
from clf_cli.settings.sections import OptimSection
from clf_cli.training.optimizer import build_optimizer

TURNS = 3  # of each way, so that a busy machine hurts all alike
HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Way:
    """How steps are computed."""

    device: str
    precision: str
    threads: int
    channels_last: bool


class BareSteps:
    """Forward, cross-entropy, backward and optimiser step of one batch of noise; takes `network` over."""

    def __init__(
        self, network: nn.Module, shape: tuple[int, int, int], classes: int, optim: OptimSection, way: Way
    ) -> None:
        """`shape` is (B, H, W)."""
        layout = torch.channels_last if way.channels_last else torch.contiguous_format
        self._device, self._way = torch.device(way.device), way
        self._network = laid_out(network.to(self._device), layout).train()
        fused = self._device.type in ("cpu", "cuda")
        self._optimizer = build_optimizer(self._network, optim, fused=fused)
        generator = torch.Generator().manual_seed(0)
        images = torch.randn(shape[0], 3, *shape[1:], generator=generator)
        self._images = images.to(self._device).contiguous(memory_format=layout)
        self._targets = (torch.arange(shape[0]) % classes).to(self._device)
        self.seconds: list[float] = []  # of the wall, of each timed step
        self.cpu: list[float] = []  # of this process

    def warm_up(self) -> None:
        """The first step allocates and chooses kernels."""
        self._step()

    def timed(self) -> None:
        start, cpu = time.perf_counter(), time.process_time()
        self._step()
        self.seconds.append(time.perf_counter() - start)
        self.cpu.append(time.process_time() - cpu)

    @property
    def median(self) -> float:
        """Seconds of a step."""
        return median(self.seconds)

    def _step(self) -> None:
        if self._device.type == "cpu":
            torch.set_num_threads(self._way.threads)
        half = HALVES.get(self._way.precision)
        mixed = contextlib.nullcontext() if half is None else torch.autocast(self._device.type, half)
        self._optimizer.zero_grad(set_to_none=True)
        with mixed:
            logits = self._network(self._images)
        loss = nn.functional.cross_entropy(logits.float(), self._targets)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        self._optimizer.step()
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


def in_turns(ways: Sequence[BareSteps], seconds: float) -> None:
    """Times each for `seconds`, at least TURNS steps; one after another in every turn."""
    for way in ways:
        way.warm_up()
    for turn in range(1, TURNS + 1):
        for way in ways:
            way.timed()
            while sum(way.seconds) < seconds * turn / TURNS:
                way.timed()
