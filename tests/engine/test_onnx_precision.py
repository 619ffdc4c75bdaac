"""The arithmetic of a file, told from its graph, and taken out again."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.transformers.float16 import convert_float_to_float16

from clf_cli.engine.onnx_precision import dequantized, precision_of, without_precision
from clf_cli.errors import ModelError
from tests.onnx_models import linear, write_onnx_file

RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((6, 3, 8, 12), dtype=np.float32)


def answers(model, images=IMAGES):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"input": images})[0]


@pytest.fixture
def plain(tmp_path):
    return onnx.load(write_onnx_file(tmp_path / "a.onnx"))


def half(model):
    return convert_float_to_float16(model, keep_io_types=True)


def quantized(model):
    """By hand: the weights per column in int8, the means in uint8 with a range that clips some of them."""
    graph, weights = model.graph, linear().weights
    scale = np.abs(weights).max(axis=0) / 127
    small = [
        numpy_helper.from_array(np.round(weights / scale).astype(np.int8), "weights_q"),
        numpy_helper.from_array(scale.astype(np.float32), "weights_s"),
        numpy_helper.from_array(np.zeros(len(scale), np.int8), "weights_z"),
        numpy_helper.from_array(np.float32(0.0004), "means_s"),
        numpy_helper.from_array(np.uint8(128), "means_z"),
    ]
    del graph.node[:], graph.initializer[1]
    graph.initializer.extend(small)
    graph.node.extend(
        [
            helper.make_node("ReduceMean", ["input", "axes"], ["means"], keepdims=0),
            helper.make_node("QuantizeLinear", ["means", "means_s", "means_z"], ["means_q"]),
            helper.make_node("DequantizeLinear", ["means_q", "means_s", "means_z"], ["means_d"]),
            helper.make_node("DequantizeLinear", ["weights_q", "weights_s", "weights_z"], ["weights_d"], axis=1),
            helper.make_node("Gemm", ["means_d", "weights_d", "bias"], ["logits"]),
        ]
    )
    onnx.checker.check_model(model, full_check=True)
    return model


class TestPrecision:
    def test_told_from_the_graph(self, plain):
        assert precision_of(plain) == "fp32"
        assert precision_of(half(plain)) == "fp16"

    def test_of_a_quantised_graph(self, plain):
        assert precision_of(quantized(plain)) == "int8"

    def test_of_operators_on_integers(self, plain):
        plain.graph.node.add(op_type="QLinearAdd", input=["a"], output=["b"])
        assert precision_of(plain) == "int8"

    def test_a_cast_alone_is_half(self, plain):
        plain.graph.node.add(op_type="Cast", input=["input"], output=["b"]).attribute.append(
            helper.make_attribute("to", TensorProto.FLOAT16)
        )
        assert precision_of(plain) == "fp16"


class TestWithoutHalves:
    def test_the_weights_stay_rounded(self, plain):
        small = half(onnx.ModelProto.FromString(plain.SerializeToString()))
        before = small.SerializeToString()
        back = without_precision(small)
        assert small.SerializeToString() == before, "the file that was given was changed"
        onnx.checker.check_model(back, full_check=True)
        assert precision_of(back) == "fp32"
        given = linear()
        rounded = IMAGES.mean(axis=(2, 3)) @ given.weights.astype(np.float16).astype(np.float32)
        np.testing.assert_allclose(answers(back), rounded + given.bias.astype(np.float16), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(answers(back), answers(plain), atol=2e-3)

    def test_constants_in_nodes(self, plain):
        plain.graph.node.insert(0, helper.make_node("Constant", [], ["one"], value_float=1.0))
        plain.graph.node[0].attribute[0].CopyFrom(
            helper.make_attribute("value", numpy_helper.from_array(np.float16(0.1)))
        )
        back = without_precision(plain)
        assert numpy_helper.to_array(back.graph.node[0].attribute[0].t) == np.float32(np.float16(0.1))


class TestWithoutQuantisation:
    def test_weights_are_dequantised_and_activations_neither_rounded_nor_clipped(self, plain):
        small = quantized(plain)
        back = without_precision(small)
        onnx.checker.check_model(back, full_check=True)
        assert [node.op_type for node in back.graph.node] == ["ReduceMean", "Gemm"]
        assert {tensor.name for tensor in back.graph.initializer} == {"axes", "weights_d", "bias"}
        stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in small.graph.initializer}
        weights = dequantized(stored["weights_q"], stored["weights_s"], stored["weights_z"], axis=1)
        expected = IMAGES.mean(axis=(2, 3)) @ weights + stored["bias"]
        np.testing.assert_allclose(answers(back), expected, rtol=1e-5, atol=1e-6)
        assert np.abs(answers(small) - expected).max() > 0.05, "nothing was clipped: proves nothing"

    def test_an_output_that_was_dequantised_keeps_its_name(self, plain):
        small = quantized(plain)
        small.graph.node[-1].output[0] = "raw"
        small.graph.node.extend(
            [
                helper.make_node("QuantizeLinear", ["raw", "means_s", "means_z"], ["raw_q"]),
                helper.make_node("DequantizeLinear", ["raw_q", "means_s", "means_z"], ["logits"]),
            ]
        )
        back = without_precision(small)
        assert [node.op_type for node in back.graph.node] == ["ReduceMean", "Gemm", "Identity"]
        assert answers(back).shape == (6, 5)

    def test_integer_operators_are_refused(self, plain):
        plain.graph.node.add(op_type="MatMulInteger", input=["a", "b"], output=["c"])
        with pytest.raises(ModelError, match="MatMulInteger"):
            without_precision(plain)


class TestDequantized:
    @pytest.mark.parametrize("axis", [0, 1])
    def test_is_what_onnxruntime_does(self, axis):
        values = RNG.integers(-128, 128, (4, 6), dtype=np.int8)
        scale = RNG.uniform(0.01, 0.1, values.shape[axis]).astype(np.float32)
        zero = RNG.integers(-9, 9, values.shape[axis], dtype=np.int8)
        graph = helper.make_graph(
            [helper.make_node("DequantizeLinear", ["input", "scale", "zero"], ["y"], axis=axis)],
            "g",
            [helper.make_tensor_value_info("input", TensorProto.INT8, [4, 6])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, 6])],
            [numpy_helper.from_array(scale, "scale"), numpy_helper.from_array(zero, "zero")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        np.testing.assert_array_equal(answers(model, values), dequantized(values, scale, zero, axis))
