"""What one image costs an ONNX graph, from the shapes of its tensors."""

import contextlib
import math
from collections.abc import Mapping

import onnx

Shape = tuple[int | str | None, ...]  # a name is a dynamic axis, None one that is not known

_COUNTED = ("Conv", "Gemm", "MatMul")
_FREE_OF_WEIGHTS = 1024  # elements: larger constants are weights, and no shape is computed from them


def shapes_of_one_image(model: onnx.ModelProto) -> dict[str, Shape]:
    """The shape of every tensor of the main graph that ONNX can infer, for one image where the batch is free."""
    one = _without_weights(model)
    for value in (*one.graph.input, *one.graph.output):
        axes = value.type.tensor_type.shape.dim
        if axes and not axes[0].dim_value:
            axes[0].dim_value = 1
    del one.graph.value_info[:]  # it says `batch_size` where one is meant
    with contextlib.suppress(onnx.shape_inference.InferenceError):  # a graph that contradicts itself
        one = onnx.shape_inference.infer_shapes(one, data_prop=True)
    known = {tensor.name: tuple(tensor.dims) for tensor in one.graph.initializer}
    values = (*one.graph.input, *one.graph.value_info, *one.graph.output)
    return known | {value.name: shape for value in values if (shape := shape_of(value)) is not None}


def shape_of(value: onnx.ValueInfoProto) -> Shape | None:
    """None for a value that is no tensor, or one of unknown rank."""
    if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
        return None
    axes = value.type.tensor_type.shape.dim
    return tuple(axis.dim_param or (axis.dim_value if axis.HasField("dim_value") else None) for axis in axes)


def multiply_adds(model: onnx.ModelProto, shapes: Mapping[str, Shape]) -> int | None:
    """In convolutions and matrix products, as for networks; None when a shape is not known or an operator is another's.

    `shapes` are those of one image.
    """
    if model.functions or any(node.domain not in ("", "ai.onnx") or _is_opaque(node) for node in model.graph.node):
        return None
    counts = [_cost(node, shapes) for node in model.graph.node if node.op_type in _COUNTED]
    known = [count for count in counts if count is not None]
    return sum(known) // _batch(model) if len(known) == len(counts) else None


def weights_of(graph: onnx.GraphProto) -> dict[str, int]:
    """The number of stored elements by tensor: weights, not the scales and zero points that they are rounded with.

    Weights that are dequantised count as those of the tensor that then stands for them.
    """
    weights = {tensor.name: math.prod(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            for name in node.input[1:]:
                weights.pop(name, None)
            if node.input[0] in weights:
                weights[node.output[0]] = weights.pop(node.input[0])
    return weights


def _batch(model: onnx.ModelProto) -> int:
    """The images that the graph takes at once, where that is fixed; else one, as in `shapes_of_one_image`."""
    constants = {tensor.name for tensor in model.graph.initializer}
    images = next((value for value in model.graph.input if value.name not in constants), None)
    shape = None if images is None else shape_of(images)
    return max(1, shape[0]) if shape and isinstance(shape[0], int) else 1


def _is_opaque(node: onnx.NodeProto) -> bool:
    """Operators that multiply, but not in a way that is counted here, and those with graphs of their own."""
    products = (
        "Attention",
        "ConvInteger",
        "ConvTranspose",
        "DeformConv",
        "Einsum",
        "GRU",
        "LSTM",
        "MatMulInteger",
        "RNN",
    )
    return (
        node.op_type in products or node.op_type.startswith("QLinear") or any(a.HasField("g") for a in node.attribute)
    )


def _cost(node: onnx.NodeProto, shapes: Mapping[str, Shape]) -> int | None:
    """Elements of the output times the products that each sums up."""
    output, left, right = (_known(shapes.get(name)) for name in (node.output[0], *node.input[:2]))
    if output is None or left is None or right is None:
        return None
    if node.op_type == "Conv":
        return math.prod(output) * math.prod(right[1:])
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return math.prod(output) * left[-2 if transposed else -1]


def _known(shape: Shape | None) -> tuple[int, ...] | None:
    if shape is None:
        return None
    known = tuple(axis for axis in shape if isinstance(axis, int))
    return known if len(known) == len(shape) else None


def _without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose large constants have a shape and no values."""
    bare = onnx.ModelProto()
    bare.ir_version = model.ir_version
    bare.opset_import.extend(model.opset_import)
    graph = model.graph
    bare.graph.name = graph.name
    bare.graph.node.extend(graph.node)
    bare.graph.input.extend(graph.input)
    bare.graph.output.extend(graph.output)
    for tensor in graph.initializer:
        if math.prod(tensor.dims) > _FREE_OF_WEIGHTS:
            bare.graph.initializer.add(name=tensor.name, dims=tensor.dims, data_type=tensor.data_type)
        else:
            bare.graph.initializer.append(tensor)
    return bare
