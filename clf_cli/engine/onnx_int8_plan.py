"""Which operators of a network calculate with 8-bit integers, and which tensors are rounded for them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import onnx
from onnx import TensorProto, helper, numpy_helper

from clf_cli.engine.onnx_edit import constants_of, consumers_of, replace_nodes

PRODUCTS = ("Conv", "Gemm", "MatMul")
_SAME_RANGE = ("MaxPool", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze")  # they only move values
_FOLLOWING = ("Add", "Concat", "AveragePool", "GlobalAveragePool", "Sigmoid", *_SAME_RANGE)
_FUSED = ("Relu", "Clip")  # rounding their output clips as they do: ONNX Runtime drops them


@dataclass(frozen=True)
class Int8Plan:
    """`nodes` calculate with integers: names. `rounded` maps each tensor that is rounded to the one whose range it
    takes, mostly itself; those in `inside` come out of such nodes, so that all who take them take them rounded."""

    nodes: frozenset[str]
    rounded: Mapping[str, str]
    inside: frozenset[str]

    @property
    def ranges(self) -> tuple[str, ...]:
        """The tensors whose ranges are needed."""
        return tuple(dict.fromkeys(self.rounded.values()))


def prepared(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of a float32 model with the same answers, in the forms that ONNX Runtime has integer kernels for.

    Means over both sides of an image become average pooling, constants in nodes stored tensors; every node has a name.
    """
    ready = onnx.ModelProto()
    ready.CopyFrom(model)
    graph = ready.graph
    del graph.value_info[:]
    ranks = _ranks(ready)
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            graph.initializer.add().CopyFrom(node.attribute[0].t)
            graph.initializer[-1].name = node.output[0]
        elif node.op_type == "ReduceMean" and ranks.get(node.input[0]) == 4 and _axes(node, graph) == [2, 3]:
            nodes += _pooling(node)
        else:
            nodes.append(node)
    replace_nodes(graph, nodes)
    for node in graph.node:
        node.name = f"{node.op_type}_{node.output[0]}"
    return ready


def is_transformer(graph: onnx.GraphProto) -> bool:
    """Told by products of two activations, which attention is made of."""
    constants = constants_of(graph)
    return any(node.op_type == "MatMul" and not set(node.input) & constants.keys() for node in graph.node)


def products(graph: onnx.GraphProto) -> tuple[onnx.NodeProto, ...]:
    """Convolutions and matrix products with constant weights, in the graph's order; of transformers no convolution."""
    constants = constants_of(graph)
    kinds = PRODUCTS[1:] if is_transformer(graph) else PRODUCTS
    return tuple(node for node in graph.node if node.op_type in kinds and _has_weights(node, constants))


def int8_plan(graph: onnx.GraphProto, floats: Collection[str] = ()) -> Int8Plan:
    """For a graph that is `prepared`; the nodes named in `floats` stay in float32.

    Of transformers only matrix products are integers: the error of rounding their other operators is too large. Of
    other networks also what follows a product and has an integer kernel, so that values stay integers between layers.
    """
    draft = _Draft(graph)
    weighted = {node.name for node in products(graph)}
    alone = is_transformer(graph)
    for node in graph.node:
        if node.name in floats:
            continue
        if node.name in weighted:
            draft.take(node, node.input[:1])
            if node.op_type == "Conv":
                draft.give(node)
        elif not alone and draft.follows(node):
            draft.take(node, draft.activations(node))
            draft.give(node)
    return Int8Plan(frozenset(draft.nodes), draft.rounded, frozenset(draft.inside))


class _Draft:
    """A plan in the making; the graph is walked in its order."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.constants = constants_of(graph)
        self.users = consumers_of(graph)
        self.outputs = {value.name for value in graph.output}
        self.nodes: set[str] = set()
        self.rounded: dict[str, str] = {}
        self.inside: set[str] = set()

    def activations(self, node: onnx.NodeProto) -> list[str]:
        return [name for name in node.input if name and name not in self.constants]

    def follows(self, node: onnx.NodeProto) -> bool:
        """Whether it takes what is rounded anyway; one operand of a product of two is enough."""
        taken = self.activations(node)
        known = [name in self.rounded for name in taken]
        if self._end(node) in self.outputs:
            return False
        if node.op_type == "Mul":
            return len(taken) == 2 and any(known)
        if node.op_type in ("Add", "Concat") and len(taken) != len(node.input):
            return False  # a constant operand
        return node.op_type in _FOLLOWING and bool(taken) and all(known)

    def take(self, node: onnx.NodeProto, names: Collection[str]) -> None:
        self.nodes.add(node.name)
        for name in names:
            self.rounded.setdefault(name, name)

    def give(self, node: onnx.NodeProto) -> None:
        end = self._end(node)
        same = node.op_type in _SAME_RANGE and end == node.output[0]
        self.rounded.setdefault(end, self.rounded[node.input[0]] if same else end)
        self.inside.add(end)

    def _end(self, node: onnx.NodeProto) -> str:
        """Its output, behind an activation that is fused with it."""
        name = str(node.output[0])
        while name not in self.outputs and len(self.users[name]) == 1 and self.users[name][0].op_type in _FUSED:
            name = str(self.users[name][0].output[0])
        return name


def attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    """The value of a node's attribute."""
    found = (helper.get_attribute_value(one) for one in node.attribute if one.name == name)
    return next(found, default)


def _has_weights(node: onnx.NodeProto, constants: Mapping[str, TensorProto]) -> bool:
    """Whether the product is of one activation with constants, in the plain form that integer kernels know."""
    if node.input[0] in constants or any(name and name not in constants for name in node.input[1:]):
        return False
    if node.op_type == "MatMul":
        return len(constants[node.input[1]].dims) == 2
    plain = {"alpha": 1.0, "beta": 1.0, "transA": 0}
    return node.op_type == "Conv" or all(attribute(node, name, usual) == usual for name, usual in plain.items())


def _ranks(model: onnx.ModelProto) -> dict[str, int]:
    graph = onnx.shape_inference.infer_shapes(model).graph
    return {value.name: len(value.type.tensor_type.shape.dim) for value in (*graph.value_info, *graph.input)}


def _axes(node: onnx.NodeProto, graph: onnx.GraphProto) -> list[int]:
    """Of a ReduceMean over four axes, sorted; in opset 17 they are an attribute."""
    constants = constants_of(graph)
    if len(node.input) > 1 and node.input[1] in constants:
        axes = numpy_helper.to_array(constants[node.input[1]]).tolist()
    else:
        axes = attribute(node, "axes", [])
    return sorted(axis % 4 for axis in axes)


def _pooling(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Of a ReduceMean over the sides of an image."""
    if attribute(node, "keepdims", 1):
        return [helper.make_node("GlobalAveragePool", node.input[:1], node.output)]
    pooled = f"{node.output[0]}_pooled"
    return [
        helper.make_node("GlobalAveragePool", node.input[:1], [pooled]),
        helper.make_node("Flatten", [pooled], node.output),
    ]
