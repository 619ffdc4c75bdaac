"""8-bit integers: what is rounded, how, and what ONNX Runtime makes of it. The networks are real and untrained."""

from collections import Counter
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from clf_cli.engine.onnx_convert import write_onnx
from clf_cli.engine.onnx_edit import constants_of
from clf_cli.engine.onnx_int8 import mean_error, quantized, quantized_weights, scale_of
from clf_cli.engine.onnx_int8_plan import int8_plan, is_transformer, prepared, products
from clf_cli.engine.onnx_measure import measure
from clf_cli.engine.onnx_metadata import Made
from clf_cli.engine.onnx_precision import precision_of, without_precision
from clf_cli.models.build import build_network
from clf_cli.values.preprocess import Preprocess
from tests.onnx_models import CONTRACT, LABELS, random_state

IMAGES = np.random.default_rng(0).standard_normal((16, 3, 32, 32), dtype=np.float32)
ARCHS = ("test_resnet", "test_efficientnet", "test_byobnet", "test_vit", "test_convnext")
CONVOLUTIONAL = ARCHS[:3]


def answers(model, images=IMAGES):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"input": images})[0]


def optimised(model, folder):
    """Operators of the graph that ONNX Runtime really runs."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(folder / "optimised.onnx").graph.node)


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """float32 ONNX models by name, traced: the fastest way to a file."""
    folder, found = tmp_path_factory.mktemp("networks"), {}
    for arch in ARCHS:
        network = build_network(arch, len(LABELS), image_size=(32, 32))
        state = {name.removeprefix("network."): value for name, value in random_state(arch, len(LABELS), 0).items()}
        network.load_state_dict(state)
        contract = replace(CONTRACT, preprocess=Preprocess(32, 32), arch=arch)
        write_onnx(network, contract, Made("torchscript", 18), folder / f"{arch}.onnx")
        found[arch] = onnx.load(folder / f"{arch}.onnx")
    return found


def int8_of(model, floats=()):
    ready = prepared(model)
    taken = [node.input[0] for node in products(ready.graph)]
    found = measure(ready, int8_plan(ready.graph).ranges, taken, IMAGES)
    ranges = {name: (one.low, one.high) for name, one in found.items()}
    return quantized(ready, ranges, {name: one.channel_means for name, one in found.items()}, floats)


@pytest.fixture(scope="module")
def small(networks):
    return {arch: int8_of(model) for arch, model in networks.items()}


class TestPrepared:
    @pytest.mark.parametrize("arch", ARCHS)
    def test_the_answers_stay(self, networks, arch):
        ready = prepared(networks[arch])
        onnx.checker.check_model(ready, full_check=True)
        np.testing.assert_allclose(answers(ready), answers(networks[arch]), rtol=1e-4, atol=1e-4)
        assert len({node.name for node in ready.graph.node}) == len(ready.graph.node)
        assert ready.metadata_props == networks[arch].metadata_props

    def test_means_become_pooling(self, networks):
        kinds = Counter(node.op_type for node in prepared(networks["test_efficientnet"]).graph.node)
        assert kinds["GlobalAveragePool"] >= 1
        assert not kinds["ReduceMean"] + kinds["Constant"]

    @pytest.mark.parametrize("keep", [0, 1])
    @pytest.mark.parametrize("opset", [17, 18])
    def test_a_mean_in_either_form(self, keep, opset):
        sides = {"axes": [2, 3]} if opset == 17 else {}
        given = ["input"] if opset == 17 else ["input", "axes"]
        shape = ["n", 3, 1, 1] if keep else ["n", 3]
        graph = helper.make_graph(
            [helper.make_node("ReduceMean", given, ["y"], keepdims=keep, **sides)],
            "g",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, 32, 32])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
            [numpy_helper.from_array(np.array([-1, 2]), "axes")] if opset == 18 else [],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
        ready = prepared(model)
        onnx.checker.check_model(ready, full_check=True)
        assert ready.graph.node[0].op_type == "GlobalAveragePool"
        np.testing.assert_allclose(answers(ready), answers(model), atol=1e-6)

    def test_a_mean_over_channels_stays(self):
        graph = helper.make_graph(
            [helper.make_node("ReduceMean", ["input", "axes"], ["y"], keepdims=0)],
            "g",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, 32, 32])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 32])],
            [numpy_helper.from_array(np.array([1, 3]), "axes")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        assert prepared(model).graph.node[0].op_type == "ReduceMean"


class TestWhichNodes:
    def test_transformers_are_told_from_their_graph(self, networks):
        told = {arch for arch, model in networks.items() if is_transformer(model.graph)}
        assert told == {"test_vit"}

    def test_of_transformers_only_matrix_products(self, small):
        kinds = Counter(node.op_type for node in small["test_vit"].graph.node)
        constants = constants_of(small["test_vit"].graph)
        assert all(node.input[1] in constants for node in small["test_vit"].graph.node if node.op_type == "Conv")
        products_left = [
            node
            for node in small["test_vit"].graph.node
            if node.op_type in ("MatMul", "Gemm") and node.input[1] in constants
        ]
        assert not products_left, "a product with float weights"
        assert kinds["MatMul"] > 0

    def test_the_first_layers_stay(self, networks):
        ready = prepared(networks["test_resnet"])
        first = [node.name for node in products(ready.graph)][:3]
        model = int8_of(networks["test_resnet"], first)
        constants = constants_of(model.graph)
        by_name = {node.name: node for node in model.graph.node}
        assert all(by_name[name].input[1] in constants for name in first)
        before = np.abs(answers(int8_of(networks["test_resnet"])) - answers(networks["test_resnet"])).mean()
        assert np.abs(answers(model) - answers(networks["test_resnet"])).mean() < before


class TestGraph:
    @pytest.mark.parametrize("arch", ARCHS)
    def test_it_is_whole_and_answers_for_any_batch(self, small, arch):
        onnx.checker.check_model(small[arch], full_check=True)
        assert precision_of(small[arch]) == "int8"
        together = answers(small[arch])
        for size in (1, 3):
            np.testing.assert_allclose(answers(small[arch], IMAGES[:size]), together[:size], atol=1e-4)

    @pytest.mark.parametrize("arch", ARCHS)
    def test_answers_are_near(self, networks, small, arch):
        exact, rounded = answers(networks[arch]), answers(small[arch])
        assert np.sqrt(np.mean((exact - rounded) ** 2)) < 0.15 * exact.std()
        assert np.abs(exact - rounded).max() > 1e-6, "nothing is rounded"

    @pytest.mark.parametrize("arch", ARCHS)
    def test_without_precision_is_nearer(self, networks, small, arch):
        plain = without_precision(small[arch])
        onnx.checker.check_model(plain, full_check=True)
        exact = answers(networks[arch])
        error = np.sqrt(np.mean((exact - answers(plain)) ** 2))
        assert error < np.sqrt(np.mean((exact - answers(small[arch])) ** 2))
        assert precision_of(plain) == "fp32"

    @pytest.mark.parametrize("arch", CONVOLUTIONAL)
    def test_onnxruntime_runs_integers_from_end_to_end(self, small, arch, tmp_path):
        kinds = optimised(small[arch], tmp_path)
        assert not [kind for kind in ("Conv", "Gemm", "Relu", "Clip", "Add", "Mul", "Sigmoid") if kinds[kind]]
        assert kinds["QLinearConv"] > 1
        assert kinds["QGemm"] == 1
        assert kinds["QuantizeLinear"] == 1, "only the input"
        assert kinds["DequantizeLinear"] == 0, "the logits come out of the last product"

    def test_onnxruntime_multiplies_integers_in_a_transformer(self, small, tmp_path):
        kinds = optimised(small["test_vit"], tmp_path)
        assert kinds["MatMulIntegerToFloat"] == 24  # 6 blocks of 4
        assert kinds["QGemm"] == 1

    def test_same_bytes_twice(self, networks):
        one, other = (int8_of(networks["test_efficientnet"]).SerializeToString() for _ in range(2))
        assert one == other


class TestScales:
    @given(st.floats(-1e4, 1e4, width=32), st.floats(-1e4, 1e4, width=32))
    def test_zero_is_exact_and_the_range_is_covered(self, one, other):
        low, high = min(one, other), max(one, other)
        scale, zero = scale_of(low, high)
        assert scale > 0
        steps = np.clip(np.round(np.array([0.0, low, high]) / scale) + zero, 0, 255)
        back = (steps - int(zero)) * scale
        assert back[0] == 0
        assert np.abs(back - [0, low, high]).max() <= 0.51 * scale

    @given(st.floats(2**-10, 2**10, width=32))
    def test_a_range_from_zero_ends_within_itself(self, high):
        scale, zero = scale_of(0.0, high)
        assert zero == 0
        assert np.float32(255) * scale <= np.float32(high)

    @pytest.mark.parametrize("axis", [0, 1])
    def test_weights(self, axis):
        weights = np.random.default_rng(1).standard_normal((5, 7), dtype=np.float32)
        weights[2] = 0
        steps, scales = quantized_weights(weights, axis)
        assert steps.dtype == np.int8
        assert np.abs(steps).max() == 127
        shape = (-1, 1) if axis == 0 else (1, -1)
        assert (np.abs(steps * scales.reshape(shape) - weights) <= 0.51 * scales.reshape(shape)).all()

    def test_a_large_bias_beside_weights_of_almost_nothing(self):
        weights = np.full((1, 4), 1e-12, np.float32)
        _, scales = quantized_weights(weights, 0, np.array([3.0], np.float32))
        assert scales == 3


class TestMeanError:
    @pytest.mark.parametrize("groups", [1, 2, 4])
    def test_of_a_convolution(self, groups):
        """On images that are their channels' means everywhere, and without borders, it is the whole error."""
        rng = np.random.default_rng(2)
        difference, means = rng.standard_normal((8, 4 // groups, 3, 3)).astype(np.float32), rng.standard_normal(4)
        images = torch.from_numpy(np.broadcast_to(means.reshape(1, 4, 1, 1), (1, 4, 5, 5)).astype(np.float32).copy())
        expected = torch.nn.functional.conv2d(images, torch.from_numpy(difference), groups=groups)[0, :, 1, 1]
        node = helper.make_node("Conv", ["x", "w"], ["y"], group=groups)
        np.testing.assert_allclose(mean_error(node, difference, means), expected.numpy(), rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("transposed", [0, 1])
    def test_of_a_matrix_product(self, transposed):
        rng = np.random.default_rng(3)
        weights, means = rng.standard_normal((4, 6)).astype(np.float32), rng.standard_normal(4)
        node = helper.make_node("Gemm", ["x", "w"], ["y"], transB=transposed)
        given_weights = weights.T if transposed else weights
        np.testing.assert_allclose(mean_error(node, given_weights, means), means @ weights, rtol=1e-5)

    def test_biases_take_it_out(self, networks):
        """The mean of what a layer gives is nearer to float32's than with the bias as it was."""
        model = networks["test_efficientnet"]
        ready = prepared(model)
        taken = [node.input[0] for node in products(ready.graph)]
        found = measure(ready, int8_plan(ready.graph).ranges, taken, IMAGES)
        ranges = {name: (one.low, one.high) for name, one in found.items()}
        means = {name: one.channel_means for name, one in found.items()}
        nothing = {name: np.zeros_like(one) for name, one in means.items()}
        exact = answers(model)
        errors = [
            np.sqrt(np.mean((answers(without_precision(quantized(ready, ranges, used))) - exact) ** 2))
            for used in (means, nothing)
        ]
        assert errors[0] < errors[1]
