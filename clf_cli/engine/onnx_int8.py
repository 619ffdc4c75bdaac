"""A float32 graph with QuantizeLinear and DequantizeLinear around what calculates with 8-bit integers.

Activations are uint8 with one scale per tensor, weights int8 and symmetric with one scale per output channel, biases
int32. Logits are not rounded. The mean error that rounded weights make is taken out of the biases (Nagel et al. 2019,
arXiv:1906.04721, section 4.2): on a trained tf_efficientnet_lite0 that halves the error of the logits.
"""

from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from clf_cli.engine.onnx_edit import constants_of, replace_nodes
from clf_cli.engine.onnx_int8_plan import Int8Plan, attribute, int8_plan, products

Range = tuple[float, float]  # least and largest value that are told apart
_LEVELS = 255
_WEIGHT_LEVELS = 127
_LARGEST_BIAS = 2**30  # in steps of its scale, which would overflow beside weights that are almost 0
_LEAST_SCALE = 1e-12


def quantized(
    model: onnx.ModelProto,
    ranges: Mapping[str, Range],
    means: Mapping[str, npt.NDArray[np.float64]],
    floats: Collection[str] = (),
) -> onnx.ModelProto:
    """A copy of a `prepared` float32 model that calculates with integers where `int8_plan` says.

    `ranges` has those of the plan; `means` (C,) of the channels that each product takes. Metadata stay.
    """
    small = onnx.ModelProto()
    small.CopyFrom(model)
    graph = small.graph
    plan = int8_plan(graph, floats)
    writer = _Writer(graph, {name: scale_of(*ranges[name]) for name in plan.ranges}, means)
    for name, source in plan.rounded.items():
        writer.round(name, source)
    weighted = {node.name for node in products(graph)} & plan.nodes
    for node in graph.node:
        if node.name in weighted:
            writer.weights(node, writer.scales[plan.rounded[node.input[0]]][0])
        _take_rounded(node, plan)
        writer.nodes.append(node)
    replace_nodes(graph, writer.nodes)
    return small


def scale_of(low: float, high: float) -> tuple[np.float32, np.uint8]:
    """Scale and zero point for uint8; 0 is told exactly, and no value beyond `high` where the range starts at 0."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.float32(max((high - low) / _LEVELS, _LEAST_SCALE))
    while low == 0 and high > _LEVELS * _LEAST_SCALE and np.float32(_LEVELS) * scale > np.float32(high):
        scale = np.nextafter(scale, np.float32(0))  # else ONNX Runtime keeps a Clip to [0, high] as a node of its own
    return scale, np.uint8(np.clip(np.round(-low / scale), 0, _LEVELS))


def quantized_weights(
    weights: npt.NDArray[np.float32], axis: int, least: npt.NDArray[np.float32] | float = 0.0
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """int8 weights and (C,) float32 scales of the channels along `axis`, none below `least`."""
    others = tuple(one for one in range(weights.ndim) if one != axis)
    largest = np.abs(weights).max(axis=others)
    scales = np.maximum(np.maximum(largest / _WEIGHT_LEVELS, least), _LEAST_SCALE).astype(np.float32)
    steps = np.round(weights / _along(scales, axis, weights.ndim))
    return np.clip(steps, -_WEIGHT_LEVELS, _WEIGHT_LEVELS).astype(np.int8), scales


def mean_error(
    node: onnx.NodeProto, difference: npt.NDArray[np.float32], means: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """(C,) what a `difference` of a product's weights adds to each output channel, on average over what it takes.

    The borders of a convolution, where zeros are taken, are not looked at.
    """
    if node.op_type != "Conv":
        rows = difference if _axis(node) == 0 else difference.T
        return np.asarray(rows @ means)
    taps = difference.sum(axis=tuple(range(2, difference.ndim)), dtype=np.float64)  # (C, inputs of its group)
    groups = attribute(node, "group", 1)
    given = np.repeat(means.reshape(groups, -1), len(taps) // groups, axis=0)
    return np.asarray((taps * given).sum(axis=1))


class _Writer:
    """Adds nodes and constants to a graph, whose own nodes come after."""

    def __init__(
        self,
        graph: onnx.GraphProto,
        scales: Mapping[str, tuple[np.float32, np.uint8]],
        means: Mapping[str, npt.NDArray[np.float64]],
    ) -> None:
        self.graph = graph
        self.scales = scales
        self.means = means
        self.constants = constants_of(graph)
        self.nodes: list[onnx.NodeProto] = []

    def round(self, name: str, source: str) -> None:
        scale, zero = self.scales[source]
        given = [self._add(f"{name}_scale", scale), self._add(f"{name}_zero", zero)]
        small = f"{name}_quantized"
        self.nodes += [
            helper.make_node("QuantizeLinear", [name, *given], [small], name=f"{name}_quantize"),
            helper.make_node("DequantizeLinear", [small, *given], [_rounded(name)], name=f"{name}_dequantize"),
        ]

    def weights(self, node: onnx.NodeProto, scale: np.float32) -> None:
        """Rounds the weights of a product, whose input has `scale`, and its bias."""
        weights = numpy_helper.to_array(self.constants[node.input[1]])
        bias = self._bias(node)
        least = 0.0 if bias is None else (np.abs(bias) / (scale * _LARGEST_BIAS)).astype(np.float32)
        axis = _axis(node)
        steps, scales = quantized_weights(weights, axis, least)
        taken = node.input[0]
        node.input[1] = self._constant(f"{node.output[0]}_weight", steps, scales, axis)
        if bias is None:
            return
        rounded = steps * _along(scales, axis, weights.ndim)
        error = mean_error(node, rounded - weights, self.means[taken])
        of_bias = (scale * scales).astype(np.float32)
        whole = np.round((bias - error) / of_bias).clip(-(2**31), 2**31 - 1).astype(np.int32)
        node.input[2] = self._constant(f"{node.output[0]}_bias", whole, of_bias, 0)

    def _bias(self, node: onnx.NodeProto) -> npt.NDArray[np.float64] | None:
        """(C,) also where a Gemm's is one number or one row; None where there is none."""
        if len(node.input) < 3 or not node.input[2]:
            return None
        channels = self.constants[node.input[1]].dims[_axis(node)]
        stored = numpy_helper.to_array(self.constants[node.input[2]]).astype(np.float64)
        return np.broadcast_to(stored.reshape(-1), channels)

    def _constant(self, name: str, steps: npt.NDArray[np.integer], scales: npt.NDArray[np.float32], axis: int) -> str:
        given = [self._add(f"{name}_quantized", steps), self._add(f"{name}_scale", scales)]
        if steps.dtype == np.int8:  # ONNX Runtime makes no QGemm without
            given.append(self._add(f"{name}_zero", np.zeros(len(scales), np.int8)))
        self.nodes.append(helper.make_node("DequantizeLinear", given, [name], name=f"{name}_dequantize", axis=axis))
        return name

    def _add(self, name: str, values: npt.ArrayLike) -> str:
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
        return name


def _take_rounded(node: onnx.NodeProto, plan: Int8Plan) -> None:
    for position, name in enumerate(node.input):
        if name in plan.rounded and (node.name in plan.nodes or name in plan.inside):
            node.input[position] = _rounded(name)


def _rounded(name: str) -> str:
    return f"{name}_dequantized"


def _axis(node: onnx.NodeProto) -> int:
    """Of a product's weights: that of its output channels."""
    return 0 if node.op_type == "Conv" or attribute(node, "transB", 0) else 1


def _along(values: npt.NDArray[np.float32], axis: int, axes: int) -> npt.NDArray[np.float32]:
    shape = [1] * axes
    shape[axis] = -1
    return values.reshape(shape)
