"""What flows through a network, against numpy."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from clf_cli.engine.onnx_measure import BATCH, Measured, ends, measure

RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((2 * BATCH + 3, 3, 5, 4), dtype=np.float32)  # the last batch is smaller
KERNEL = RNG.standard_normal((2, 3, 1, 1)).astype(np.float32)
CONV = np.einsum("nchw,oc->nohw", IMAGES, KERNEL[:, :, 0, 0])
RELU = np.maximum(CONV, 0)


@pytest.fixture(scope="module")
def model():
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["input", "kernel"], ["conv"]),
            helper.make_node("Relu", ["conv"], ["relu"]),
            helper.make_node("Transpose", ["relu"], ["last"], perm=[0, 2, 3, 1]),
            helper.make_node("Flatten", ["last"], ["flat"]),
        ],
        "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, 5, 4])],
        [helper.make_tensor_value_info("flat", TensorProto.FLOAT, ["n", 40])],
        [numpy_helper.from_array(KERNEL, "kernel")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_ends(model):
    found = ends(model, ["input", "conv", "relu", "flat"], IMAGES)
    for name, values in (("input", IMAGES), ("conv", CONV), ("relu", RELU), ("flat", RELU)):
        assert found[name].low == pytest.approx(values.min(), abs=1e-5), name
        assert found[name].high == pytest.approx(values.max(), rel=1e-5), name


def test_channels(model):
    found = measure(model, [], ["input", "relu", "flat"], IMAGES)
    np.testing.assert_allclose(found["input"].channel_means, IMAGES.mean(axis=(0, 2, 3)), atol=1e-6)
    np.testing.assert_allclose(found["relu"].channel_means, RELU.mean(axis=(0, 2, 3)), atol=1e-6)
    flat = RELU.transpose(0, 2, 3, 1).reshape(len(IMAGES), -1)
    np.testing.assert_allclose(found["flat"].channel_means, flat.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("share", [0.9, 0.99])
def test_percentiles(model, share):
    found = measure(model, ["conv", "relu"], [], IMAGES)
    low, high = found["conv"].percentile(share)
    bins = float(np.ptp(CONV)) / 1000
    np.testing.assert_allclose((low, high), np.quantile(CONV, [1 - share, share]), atol=bins)
    low, high = found["relu"].percentile(share)
    assert low == 0
    assert high == pytest.approx(np.quantile(RELU, share), abs=bins)


def test_the_ends_hold_every_value():
    whole = Measured()
    values = RNG.standard_normal(10_000).astype(np.float32)
    whole.look(values)
    whole.count(values)
    low, high = whole.percentile(1.0)
    assert low <= values.min()
    assert high == pytest.approx(values.max())
    assert whole.counts.sum() == len(values)


def test_what_never_changes():
    still = Measured()
    still.look(np.zeros(4, np.float32))
    still.count(np.zeros(4, np.float32))
    assert still.percentile(0.9) == (0.0, 0.0)


def test_the_model_stays_as_it_is(model):
    before = model.SerializeToString()
    ends(model, ["conv"], IMAGES[:1])
    assert model.SerializeToString() == before
    with pytest.raises(Exception, match="nowhere"):
        ends(model, ["nowhere"], IMAGES[:1])
    onnx.checker.check_model(model)
