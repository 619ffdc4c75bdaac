"""What stands around a network in its ONNX file: pixels that become its input, a softmax behind its logits."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from clf_cli.engine.onnx_edit import replace_nodes
from clf_cli.values.preprocess import Preprocess

PROBABILITIES = "probabilities"
_TAKEN = "normalized"  # what the network's input is called behind the pixels


def with_probabilities(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy that answers `probabilities` float32 (N, C), whose rows sum to 1, where `model` answers logits."""
    wrapped = _copied(model)
    graph = wrapped.graph
    (answer,) = graph.output
    node = helper.make_node("Softmax", [answer.name], [PROBABILITIES], name="softmax", axis=1)
    answer.name = PROBABILITIES
    replace_nodes(graph, [*graph.node, node])
    return wrapped


def with_pixels(model: onnx.ModelProto, preprocess: Preprocess) -> onnx.ModelProto:
    """A copy that takes uint8 (N, H, W, 3) RGB pixels at the network's size under the input's name.

    It computes what values.preprocess.normalize does, in its order and in float32.
    """
    wrapped = _copied(model)
    graph = wrapped.graph
    (given,) = graph.input
    for node in graph.node:
        for position, name in enumerate(node.input):
            node.input[position] = _TAKEN if name == given.name else name
    constants = {
        "pixels_largest": np.float32(255.0),
        "pixels_mean": _per_channel(preprocess.mean),
        "pixels_std": _per_channel(preprocess.std),
    }
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items())
    steps = [
        helper.make_node("Transpose", [given.name], ["pixels_planes"], name="pixels_transpose", perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["pixels_planes"], ["pixels_float"], name="pixels_cast", to=TensorProto.FLOAT),
        helper.make_node("Div", ["pixels_float", "pixels_largest"], ["pixels_scaled"], name="pixels_scale"),
        helper.make_node("Sub", ["pixels_scaled", "pixels_mean"], ["pixels_centred"], name="pixels_centre"),
        helper.make_node("Div", ["pixels_centred", "pixels_std"], [_TAKEN], name="pixels_normalize"),
    ]
    given.type.tensor_type.elem_type = TensorProto.UINT8
    axes = given.type.tensor_type.shape.dim
    for axis, size in zip(axes[1:], (preprocess.height, preprocess.width, 3), strict=True):
        axis.dim_value = size
    replace_nodes(graph, [*steps, *graph.node])
    return wrapped


def _copied(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def _per_channel(values: tuple[float, float, float]) -> np.ndarray:
    return np.array(values, np.float32).reshape(3, 1, 1)
