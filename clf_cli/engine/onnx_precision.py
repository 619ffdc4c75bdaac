"""Which arithmetic an ONNX file calculates with, told from its graph alone, and the same graph back in float32."""

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, numpy_helper

from clf_cli.engine.onnx_edit import constants_of, replace_nodes
from clf_cli.errors import ModelError
from clf_cli.values.precision import OnnxPrecision

_QDQ = ("QuantizeLinear", "DequantizeLinear")
_INTEGER_OPERATORS = ("ConvInteger", "MatMulInteger", "DynamicQuantizeLinear")  # beside those named QLinear...


def precision_of(model: onnx.ModelProto) -> OnnxPrecision:
    """int8 where anything is quantised, else fp16 where a weight or a cast is float16, else fp32."""
    if any(node.op_type in _QDQ or _is_integer(node) for node in model.graph.node):
        return "int8"
    halves = (tensor.data_type == TensorProto.FLOAT16 for tensor in _constants(model.graph))
    casts = (_casts_to_half(attribute) for node in model.graph.node for attribute in node.attribute)
    return "fp16" if any(halves) or any(casts) else "fp32"


def without_precision(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy that calculates in float32: what the rounding of its arithmetic does, beside that of its weights.

    float16 constants become float32, weights are dequantised, and activations are neither rounded nor clipped.
    Metadata stay. Raises ModelError (exit 4) where integers are multiplied by operators of their own, which clf does
    not write.
    """
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    strange = sorted({node.op_type for node in plain.graph.node if _is_integer(node)})
    if strange:
        raise ModelError(
            f"Its quantised operators cannot be taken out: {', '.join(strange)}.",
            "Only files with QuantizeLinear and DequantizeLinear can be turned back into float32.",
        )
    _without_quantisation(plain.graph)
    _without_halves(plain.graph)
    return plain


def dequantized(
    values: npt.NDArray[np.integer], scale: npt.NDArray[np.floating], zero: npt.NDArray[np.integer] | None, axis: int
) -> npt.NDArray[np.float32]:
    """What DequantizeLinear gives: (values - zero) x scale, float32; one scale, or one for each index of `axis`."""
    shape = [1] * values.ndim
    if scale.ndim:
        shape[axis] = -1
    shifted = values.astype(np.int64) - (0 if zero is None else zero.astype(np.int64).reshape(shape))
    return np.asarray(shifted * scale.astype(np.float32).reshape(shape), dtype=np.float32)


def _without_quantisation(graph: onnx.GraphProto) -> None:
    constants = constants_of(graph)
    source: dict[str, str] = {}  # what stands for the output of a quantising node
    kept: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in constants:
            graph.initializer.append(_dequantized_constant(node, constants))
        elif node.op_type in _QDQ:
            source[node.output[0]] = node.input[0]
        else:
            kept.append(node)
    for node in kept:
        for position, name in enumerate(node.input):
            node.input[position] = _followed(name, source)
    outputs = [value.name for value in graph.output if value.name in source]  # they keep their names
    kept += [onnx.helper.make_node("Identity", [_followed(name, source)], [name]) for name in outputs]
    replace_nodes(graph, kept)


def _followed(name: str, source: Mapping[str, str]) -> str:
    while name in source:
        name = source[name]
    return name


def _dequantized_constant(node: onnx.NodeProto, constants: Mapping[str, TensorProto]) -> TensorProto:
    given = [numpy_helper.to_array(constants[name]) for name in node.input if name]
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
    values = dequantized(given[0], given[1], given[2] if len(given) > 2 else None, axis)
    return numpy_helper.from_array(values, node.output[0])


def _without_halves(graph: onnx.GraphProto) -> None:
    for tensor in _constants(graph):
        if tensor.data_type == TensorProto.FLOAT16:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))
    for node in graph.node:
        for attribute in node.attribute:
            if _casts_to_half(attribute):
                attribute.i = TensorProto.FLOAT
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT16:
            value.type.tensor_type.elem_type = TensorProto.FLOAT


def _constants(graph: onnx.GraphProto) -> Iterable[TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        yield from (attribute.t for attribute in node.attribute if attribute.HasField("t"))


def _casts_to_half(attribute: onnx.AttributeProto) -> bool:
    return attribute.name in ("to", "dtype") and attribute.i == TensorProto.FLOAT16


def _is_integer(node: onnx.NodeProto) -> bool:
    return node.op_type in _INTEGER_OPERATORS or node.op_type.startswith("QLinear")
