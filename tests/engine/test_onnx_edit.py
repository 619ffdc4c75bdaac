"""Edits of a graph."""

import onnx
from onnx import helper

from clf_cli.engine.onnx_edit import consumers_of, producers_of, replace_nodes
from tests.onnx_models import write_onnx_file


def node(name, *inputs):
    return helper.make_node("Sum", list(inputs), [name], name=name)


def ordered(*nodes):
    graph = onnx.GraphProto()
    replace_nodes(graph, nodes)
    return [one.name for one in graph.node]


class TestReplaceNodes:
    def test_an_order_that_holds_stays(self):
        assert ordered(node("a", "x"), node("c", "x"), node("b", "a")) == ["a", "c", "b"]

    def test_each_comes_after_what_it_takes(self):
        assert ordered(node("c", "b", "a"), node("b", "a"), node("a", "x")) == ["a", "b", "c"]

    def test_deeper_than_pythons_stack(self):
        chain = [node(str(number), str(number - 1)) for number in range(5000, 0, -1)]
        assert ordered(*chain) == [str(number) for number in range(1, 5001)]

    def test_what_nothing_takes_is_dropped(self, tmp_path):
        graph = onnx.load(write_onnx_file(tmp_path / "a.onnx")).graph
        graph.value_info.add(name="means")
        first, second = graph.node
        second.input[2] = ""
        replace_nodes(graph, [second, first])
        assert [one.op_type for one in graph.node] == ["ReduceMean", "Gemm"]
        assert [tensor.name for tensor in graph.initializer] == ["axes", "weights"]
        assert not graph.value_info


def test_who_makes_and_takes_what():
    graph = onnx.GraphProto()
    graph.node.extend([node("a", "x"), node("b", "a", "a"), node("c", "a", "")])
    assert [one.name for one in consumers_of(graph)["a"]] == ["b", "c"]
    assert consumers_of(graph)["c"] == []
    assert {name: one.name for name, one in producers_of(graph).items()} == {"a": "a", "b": "b", "c": "c"}
