"""Small edits of an ONNX graph that several steps need."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import onnx


def constants_of(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    """The stored tensors by name."""
    return {tensor.name: tensor for tensor in graph.initializer}


def producers_of(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    """The node that makes each tensor."""
    return {name: node for node in graph.node for name in node.output if name}


def consumers_of(graph: onnx.GraphProto) -> Mapping[str, list[onnx.NodeProto]]:
    """The nodes that take each tensor, in the graph's order; an empty list for one that only leaves the graph."""
    found: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in graph.node:
        for name in dict.fromkeys(node.input):
            found[name].append(node)
    return found


def replace_nodes(graph: onnx.GraphProto, nodes: Iterable[onnx.NodeProto]) -> None:
    """Puts `nodes` in the place of the graph's, each after what it takes, else in the order given.

    Stored tensors that nothing takes any longer are dropped, and so is what the graph said of its inner tensors.
    """
    ordered = _in_order(list(nodes))
    del graph.node[:]
    graph.node.extend(ordered)
    used = {name for node in ordered for name in node.input} | {value.name for value in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    del graph.value_info[:]


def _in_order(nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """A depth-first walk from each node to what it takes, without recursion: graphs are deeper than Python's stack."""
    makers = {name: position for position, node in enumerate(nodes) for name in node.output if name}
    ordered: list[onnx.NodeProto] = []
    done: set[int] = set()
    for start in range(len(nodes)):
        waiting = [start]
        while waiting:
            position = waiting[-1]
            needed = (makers[name] for name in nodes[position].input if name in makers)
            missing = [one for one in needed if one not in done]
            if missing and position not in done:
                waiting += reversed(missing)
                continue
            waiting.pop()
            if position not in done:
                done.add(position)
                ordered.append(nodes[position])
    return ordered
