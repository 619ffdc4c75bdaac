"""Pixels before the network and a softmax behind it change no answer."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from clf_cli.engine.onnx_wrap import with_pixels, with_probabilities
from clf_cli.values.predictions import softmax
from clf_cli.values.preprocess import Preprocess, normalize
from tests.onnx_models import CONTRACT, linear, write_onnx_file

PREPROCESS = Preprocess(8, 12, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3))
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 8, 12, 3), dtype=np.uint8)


def run(model, inputs, wanted=None):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(wanted, {"input": inputs})[0]


@pytest.fixture
def model(tmp_path):
    return onnx.load(write_onnx_file(tmp_path / "a.onnx", contract=replace(CONTRACT, preprocess=PREPROCESS)))


def test_probabilities(model):
    wrapped = with_probabilities(model)
    onnx.checker.check_model(wrapped, full_check=True)
    logits = run(model, images := normalize(PIXELS, PREPROCESS))
    np.testing.assert_allclose(run(wrapped, images), softmax(logits), atol=1e-6)
    (answer,) = wrapped.graph.output
    assert answer.name == "probabilities"
    assert [axis.dim_param or axis.dim_value for axis in answer.type.tensor_type.shape.dim] == ["batch_size", 5]
    assert model.graph.output[0].name == "logits", "the model that was given was changed"


def test_pixels(model):
    wrapped = with_pixels(model, PREPROCESS)
    onnx.checker.check_model(wrapped, full_check=True)
    (taken,) = wrapped.graph.input
    axes = [axis.dim_param or axis.dim_value for axis in taken.type.tensor_type.shape.dim]
    assert (taken.name, axes) == ("input", ["batch_size", 8, 12, 3])
    for size in (1, 3, 5):
        given = PIXELS[:size]
        np.testing.assert_allclose(run(wrapped, given), run(model, normalize(given, PREPROCESS)), atol=1e-5)
    wrapped.graph.output.append(onnx.helper.make_empty_tensor_value_info("normalized"))
    np.testing.assert_array_equal(run(wrapped, PIXELS, ["normalized"]), normalize(PIXELS, PREPROCESS))


def test_both_keep_all_else(model):
    wrapped = with_probabilities(with_pixels(model, PREPROCESS))
    onnx.checker.check_model(wrapped, full_check=True)
    assert wrapped.metadata_props == model.metadata_props
    assert wrapped.opset_import == model.opset_import
    expected = softmax(linear()(normalize(PIXELS, PREPROCESS)))
    np.testing.assert_allclose(run(wrapped, PIXELS), expected, atol=1e-6)
    again = with_probabilities(with_pixels(model, PREPROCESS))
    assert wrapped.SerializeToString() == again.SerializeToString()
