"""A float32 graph that calculates with float16 inside and takes and gives float32."""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.transformers.float16 import (  # type: ignore[import-untyped]  # ships no types
    convert_float_to_float16,
)

from clf_cli.engine.onnx_edit import producers_of, replace_nodes
from clf_cli.engine.onnx_precision import without_precision

LARGEST = float(np.finfo(np.float16).max)
_ROOM = 4.0  # times the largest value that was seen must fit: other images go further
_Fixed = tuple[str, ...]


def halved(model: onnx.ModelProto, largest: Mapping[str, float]) -> tuple[onnx.ModelProto, _Fixed]:
    """A copy in float16, and the names of the nodes that stay in float32: what they take or give may not fit.

    `largest` has the largest absolute value that each inner tensor took. Metadata stay.
    """
    ready = onnx.ModelProto()
    ready.CopyFrom(model)
    del ready.graph.value_info[:]
    for node in ready.graph.node:
        node.name = node.name or f"{node.op_type}_{node.output[0]}"
    fixed = _too_large(ready.graph, largest)
    small = convert_float_to_float16(ready, keep_io_types=True, node_block_list=list(fixed))
    _drop_repeats(small.graph)
    replace_nodes(small.graph, _without_detours(small.graph))
    return small, fixed


def rounding_each(model: onnx.ModelProto) -> onnx.ModelProto:
    """What a machine answers that rounds every result to float16: a float32 copy of a float16 model with these steps.

    ONNX Runtime's CPU kernels do not: they calculate float16 nodes in float32 from end to end.
    """
    inferred = onnx.shape_inference.infer_shapes(model).graph.value_info
    half = {value.name for value in inferred if value.type.tensor_type.elem_type == TensorProto.FLOAT16}
    exact = without_precision(model)
    nodes: list[onnx.NodeProto] = []
    for node in exact.graph.node:
        nodes.append(node)
        for position, name in enumerate(node.output):
            if name in half:
                node.output[position] = f"{name}_exact"
                nodes += _rounding(node.output[position], name)
    replace_nodes(exact.graph, nodes)
    return exact


def _drop_repeats(graph: onnx.GraphProto) -> None:
    """The tool adds the same cast once for every node that stays and takes the same tensor, which no checker allows."""
    by_output = {node.output[0]: node for node in reversed(graph.node)}
    kept = [node for node in graph.node if by_output[node.output[0]] is node]
    del graph.node[:]
    graph.node.extend(kept)


def _without_detours(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes, without casts from float32 to float16 and back: the tool puts them between nodes that stay."""
    makers = producers_of(graph)
    whole = {
        node.output[0]: makers[node.input[0]].input[0]
        for node in graph.node
        if _casts(node, TensorProto.FLOAT) and _casts(makers.get(node.input[0]), TensorProto.FLOAT16)
    }
    for node in graph.node:
        for position, name in enumerate(node.input):
            node.input[position] = whole.get(name, name)
    wanted = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    return [node for node in graph.node if wanted & set(node.output)]


def _casts(node: onnx.NodeProto | None, kind: int) -> bool:
    return node is not None and node.op_type == "Cast" and any(one.i == kind for one in node.attribute)


def _rounding(source: str, target: str) -> list[onnx.NodeProto]:
    half = f"{target}_half"
    return [
        helper.make_node("Cast", [source], [half], name=f"{target}_to_half", to=TensorProto.FLOAT16),
        helper.make_node("Cast", [half], [target], name=f"{target}_from_half", to=TensorProto.FLOAT),
    ]


def _too_large(graph: onnx.GraphProto, largest: Mapping[str, float]) -> _Fixed:
    weights = {
        tensor.name: float(np.abs(numpy_helper.to_array(tensor)).max(initial=0))
        for tensor in graph.initializer
        if tensor.data_type == TensorProto.FLOAT
    }
    beyond = {name for name, value in weights.items() if not value <= LARGEST}
    beyond |= {name for name, value in largest.items() if not value * _ROOM <= LARGEST}
    return tuple(node.name for node in graph.node if beyond & {*node.input, *node.output})
