"""float16 inside, float32 outside; and what a machine answers that rounds every result."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from clf_cli.engine.onnx_fp16 import LARGEST, halved, rounding_each
from clf_cli.engine.onnx_precision import precision_of, without_precision
from tests.onnx_models import write_onnx_file

IMAGES = np.random.default_rng(0).standard_normal((6, 3, 8, 12), dtype=np.float32)


def answers(model, images=IMAGES):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"input": images})[0]


@pytest.fixture
def plain(tmp_path):
    return onnx.load(write_onnx_file(tmp_path / "a.onnx"))


def growing(factor):
    """x, then x times `factor`, then that divided by it: what is between need not fit."""
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["input", "factor"], ["large"], name="grow"),
            helper.make_node("Div", ["large", "factor"], ["same"], name="shrink"),
            helper.make_node("Neg", ["same"], ["logits"], name="negate"),
        ],
        "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, 8, 12])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3, 8, 12])],
        [numpy_helper.from_array(np.float32(factor), "factor")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def kinds(model):
    return {value.name: value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)}


def test_half_inside_and_float_outside(plain):
    small, fixed = halved(plain, {})
    onnx.checker.check_model(small, full_check=True)
    assert precision_of(small) == "fp16"
    assert fixed == ()
    assert kinds(small) == kinds(plain)
    stored = {tensor.name: tensor.data_type for tensor in small.graph.initializer}
    assert stored["weights"] == stored["bias"] == TensorProto.FLOAT16
    assert stored["axes"] == TensorProto.INT64
    assert small.metadata_props == plain.metadata_props
    np.testing.assert_allclose(answers(small), answers(plain), atol=2e-3)
    np.testing.assert_array_equal(answers(small, IMAGES[:1]), answers(small)[:1])


def test_same_bytes_twice(plain):
    assert halved(plain, {})[0].SerializeToString() == halved(plain, {})[0].SerializeToString()


def test_each_result_is_rounded(plain):
    small, _ = halved(plain, {})
    strict = rounding_each(small)
    onnx.checker.check_model(strict, full_check=True)
    means = IMAGES.astype(np.float16).astype(np.float32).mean(axis=(2, 3)).astype(np.float16).astype(np.float32)
    half = {tensor.name: numpy_helper.to_array(tensor).astype(np.float32) for tensor in small.graph.initializer}
    expected = (means @ half["weights"] + half["bias"]).astype(np.float16).astype(np.float32)
    found = answers(strict)
    np.testing.assert_allclose(found, expected, atol=2e-3)
    np.testing.assert_array_equal(found, found.astype(np.float16))
    assert np.abs(found - answers(without_precision(small))).max() > 1e-5


def test_what_does_not_fit_is_seen_in_strict_steps_only():
    """ONNX Runtime's CPU kernels calculate in float32 between the casts, and say nothing of it."""
    model = growing(1e5)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.float32(6e4), "factor"))
    small, fixed = halved(model, {"large": 1.0})  # as if the images had been dark
    assert fixed == ()
    bright = np.full((1, 3, 8, 12), 2.0, np.float32)
    np.testing.assert_allclose(answers(small, bright), -2.0, rtol=1e-3)
    assert not np.isfinite(answers(rounding_each(small), bright)).any()


def test_nodes_with_values_that_may_not_fit_stay():
    small, fixed = halved(growing(6e4), {"large": 2 * 6e4, "same": 2.0})
    assert fixed == ("grow", "shrink")
    onnx.checker.check_model(small, full_check=True)
    bright = np.full((1, 3, 8, 12), 2.0, np.float32)
    np.testing.assert_allclose(answers(rounding_each(small), bright), -2.0, rtol=1e-3)


def test_weights_that_do_not_fit_keep_their_nodes():
    assert halved(growing(2 * LARGEST), {})[1] == ("grow", "shrink")


def test_two_nodes_that_stay_and_take_the_same():
    """onnxruntime's tool adds the cast between them twice, which the checker refuses."""
    graph = helper.make_graph(
        [
            helper.make_node("Neg", ["input"], ["less"]),
            helper.make_node("Max", ["less", "zero"], ["one"]),
            helper.make_node("Max", ["less", "zero"], ["other"]),
            helper.make_node("Add", ["one", "other"], ["logits"]),
        ],
        "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, 8, 12])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3, 8, 12])],
        [numpy_helper.from_array(np.float32(0), "zero")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    small, _ = halved(model, {})
    onnx.checker.check_model(small, full_check=True)
    np.testing.assert_allclose(answers(small), 2 * np.maximum(-IMAGES, 0), rtol=2e-3, atol=1e-6)


def test_nothing_is_known_of_a_tensor_that_is_not_a_number():
    assert halved(growing(2.0), {"large": float("nan")})[1] == ("grow", "shrink")
