"""A network's training passes through torch.compile: fewer and larger kernels, after some time for making them."""

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from clf_cli.errors import first_line
from clf_cli.models.exact import exact_fp32


class CompiledNetwork:
    """Calls a network in training as torch.compile makes it, for batches of the shape that it was prepared for; others,
    such as an epoch's last batch, are called as they are.

    Its shape is given and never learnt from what comes: torch would compile a second shape for any size, and which of
    the two a batch then takes would depend on those before it, so that a resumed run rounded otherwise. The network
    itself stays as it is: its weights are read in place, and validation, average and checkpoints see no other names.
    A network that cannot be compiled is called as it is; `failed` says why.
    """

    failing = "--compile on: the network could not be compiled"

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._shape: tuple[int, ...] | None = None
        self._learning: tuple[bool, ...] = ()
        self._compiled: Callable[[Tensor], Tensor] | None = None
        self.failed: str | None = None

    def is_stale(self) -> bool:
        """Whether other parameters learn than those that it was prepared for, or it was not prepared at all."""
        return self.failed is None and self._learning != _learning(self._network)

    def prepare(self, images: Tensor) -> None:
        """Compiles forward and backward pass for batches like `images`, (B, 3, H, W) on the run's device, by running
        both once; buffers, gradients and generators are as before."""
        with exact_fp32():
            pass  # leaves a switch of torch's as validation leaves it, which compiled code is made for
        kept = [(buffer, buffer.clone()) for buffer in self._network.buffers()]
        devices = [] if images.device.type != "cuda" else [images.device]
        with torch.random.fork_rng(devices=devices):
            try:
                if self._compiled is None:
                    self._compiled = _compiled(self._network, images.device.type)
                _both_passes(self._compiled, self._network, images)
            except Exception as error:  # noqa: BLE001  # whatever torch, Triton or the C++ compiler raise
                self.fall_back(error)
        for buffer, before in kept:
            buffer.copy_(before)  # batch statistics
        self._shape, self._learning = tuple(images.shape), _learning(self._network)

    def fall_back(self, error: BaseException | str) -> None:
        """Calls the network as it is from now on."""
        self._compiled, self.failed = None, error if isinstance(error, str) else _reason(error)

    def __call__(self, images: Tensor) -> Tensor:
        """Logits (B, C) of (B, 3, H, W)."""
        plain = self._compiled is None or tuple(images.shape) != self._shape
        logits: Tensor = (self._network if plain else self._compiled)(images)  # type: ignore[misc]  # plain says so
        return logits


def _compiled(network: nn.Module, kind: str) -> Callable[[Tensor], Tensor]:
    import torch._inductor.config as inductor  # seconds

    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # that there is no GPU
    torch.compiler.reset()  # of an earlier run in this process: what it compiled counts against a limit
    if kind == "cpu":
        inductor.compile_threads = 1  # else in processes that import torch anew and outlive the compiling
    options: dict[str, Any] = {
        "fallback_random": True,  # dropout draws what it would draw uncompiled
        "deterministic": torch.are_deterministic_algorithms_enabled(),  # no kernel is chosen by timing it
    }
    compiled: Callable[[Tensor], Tensor] = torch.compile(network, dynamic=False, options=options)
    return compiled


def _both_passes(call: Callable[[Tensor], Tensor], network: nn.Module, images: Tensor) -> None:
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    loss = call(images).float().sum()
    with torch.autocast(images.device.type, enabled=False):
        torch.autograd.grad(loss, learning, allow_unused=True)


def _learning(network: nn.Module) -> tuple[bool, ...]:
    return tuple(parameter.requires_grad for parameter in network.parameters())


def _reason(error: BaseException) -> str:
    """The first line of what went wrong underneath; torch wraps it."""
    return first_line(getattr(error, "inner_exception", None) or error)
