"""Multiply-adds of graphs made by hand."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from clf_cli.engine.onnx_cost import multiply_adds, shapes_of_one_image

FLOAT = TensorProto.FLOAT


def model(nodes, shape, constants=(), output="y"):
    graph = helper.make_graph(
        nodes,
        "by_hand",
        [helper.make_tensor_value_info("x", FLOAT, shape)],
        [helper.make_tensor_value_info(output, FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def cost(made):
    return multiply_adds(made, shapes_of_one_image(made))


def zeros(*shape):
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize("batch", ["N", None, 1, 8])
@pytest.mark.parametrize(
    ("weights", "settings", "expected"),
    [
        ((4, 3, 3, 3), {}, 6 * 8 * 4 * 3 * 9),
        ((4, 3, 3, 3), {"pads": [1, 1, 1, 1], "strides": [2, 2]}, 4 * 5 * 4 * 3 * 9),
        ((6, 1, 3, 3), {"group": 3}, 6 * 8 * 6 * 9),
    ],
)
def test_convolutions(batch, weights, settings, expected):
    node = helper.make_node("Conv", ["x", "w"], ["y"], **settings)
    assert cost(model([node], [batch, 3, 8, 10], [("w", zeros(*weights))])) == expected


def test_large_weights_count_too():
    """Their values are left out, their shapes are not."""
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    assert cost(model([node], ["N", 64, 8, 8], [("w", zeros(128, 64, 3, 3))])) == 6 * 6 * 128 * 64 * 9


def test_gemm_of_either_side():
    constants = [("w", zeros(7, 5))]
    assert cost(model([helper.make_node("Gemm", ["x", "w"], ["y"])], ["N", 7], constants)) == 7 * 5
    turned = [
        helper.make_node("Transpose", ["x"], ["turned"], perm=[1, 0]),
        helper.make_node("Gemm", ["turned", "w"], ["y"], transA=1),
    ]
    assert cost(model(turned, ["N", 7], constants)) == 7 * 5


def test_attention_as_matrix_products():
    """(N, 4, 6) x itself transposed, back again, through a shape that the graph computes."""
    nodes = [
        helper.make_node("Shape", ["x"], ["size"], start=0, end=1),
        helper.make_node("Concat", ["size", "rest"], ["wanted"], axis=0),
        helper.make_node("Reshape", ["x", "wanted"], ["tokens"]),
        helper.make_node("Transpose", ["tokens"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["tokens", "turned"], ["scores"]),
        helper.make_node("MatMul", ["scores", "tokens"], ["y"]),
    ]
    assert cost(model(nodes, ["N", 24], [("rest", np.array([4, 6]))])) == 4 * 4 * 6 + 4 * 6 * 4


def test_what_multiplies_otherwise_is_not_counted():
    node = helper.make_node("Einsum", ["x", "x"], ["y"], equation="ij,kj->ik")
    assert cost(model([node], ["N", 6])) is None


def test_an_unknown_shape_is_not_counted():
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    assert cost(model([node], ["N", "length", 7], [("w", zeros(7, 5))])) is None


def test_a_graph_that_multiplies_nothing_costs_nothing():
    assert cost(model([helper.make_node("Relu", ["x"], ["y"])], ["N", 3])) == 0


def test_a_graph_that_contradicts_itself_is_not_counted():
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    assert cost(model([node], ["N", 6], [("w", zeros(7, 5))])) is None
