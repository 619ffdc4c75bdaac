"""One step of a network or of an ONNX graph, as its reports list it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """A module that computes something itself, or a node of a graph; `parameters` are its own."""

    name: str
    type: str
    output: tuple[int | str | None, ...]  # of one image: without the batch axis; empty when it is not known
    parameters: int


def layer_types(layers: Sequence[Layer]) -> dict[str, int]:
    """Layers per type, the most frequent first."""
    return dict(Counter(layer.type for layer in layers).most_common())
