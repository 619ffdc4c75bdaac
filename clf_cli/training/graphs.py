"""CUDA graphs of a network's forward and backward pass: one launch in the place of some hundred."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

_WARM_UPS = 3  # passes before the capture, in which cuDNN chooses its kernels


class GraphedNetwork:
    """Calls a network in training, from the second batch of a shape on as a graph; other shapes, such as an epoch's
    last batch, are called as they are.

    The numbers are those of the plain calls. For one batch per optimiser step: `.grad` may be the graph's own memory,
    into which a second batch would be written. What may not change once it is captured: which parameters learn.
    A network that cannot be captured (one that reads a value back) is called as it is; `failed` says why.
    """

    failing = "The network's passes could not be captured as a CUDA graph"

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._seen: tuple[int, ...] | None = None
        self._shape: tuple[int, ...] | None = None
        self._graph: Callable[[Tensor], Tensor] | None = None
        self.failed: str | None = None

    def __call__(self, images: Tensor) -> Tensor:
        """Logits (B, C) of (B, 3, H, W) on a GPU."""
        shape = tuple(images.shape)
        if self._graph is None and self.failed is None and shape == self._seen:
            self._capture(images)
        self._seen = shape
        logits: Tensor = (self._network if self._graph is None or shape != self._shape else self._graph)(images)
        return logits

    def _capture(self, images: Tensor) -> None:
        buffers = list(self._network.buffers())
        kept = [buffer.clone() for buffer in buffers]
        device = torch.device("cuda", images.device.index)
        with torch.random.fork_rng(devices=[device]):
            try:
                self._graph = _captured(self._network, images)
                self._shape = tuple(images.shape)
            except RuntimeError as error:
                self.failed = str(error).partition("\n")[0]
        for buffer, before in zip(buffers, kept, strict=True):
            buffer.copy_(before)  # batch statistics that the warm-up counted


class _Whole(nn.Module):
    """Takes the graphed `forward` in the network's place: a copy of the network must not replay it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        return logits


def _captured(network: nn.Module, images: Tensor) -> Callable[[Tensor], Tensor]:
    kind = images.device.type
    half = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
    example = images.detach().clone(memory_format=torch.preserve_format)
    # Cast weights that autocast keeps would be those of the capture for ever.
    with torch.autocast(kind, half, enabled=half is not None, cache_enabled=False):
        graph = torch.cuda.make_graphed_callables(_Whole(network), (example,), num_warmup_iters=_WARM_UPS)
    return cast(Callable[[Tensor], Tensor], graph)
