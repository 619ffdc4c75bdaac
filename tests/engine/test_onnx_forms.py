"""ONNX files as forms: what is read of them, which files belong together, on how many threads they run."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from clf_cli.engine.benchmark import inputs_of
from clf_cli.engine.onnx_forms import onnx_form, ref_of, siblings, with_siblings
from clf_cli.errors import ModelError
from clf_cli.values.preprocess import Preprocess
from tests.onnx_models import CONTRACT, LABELS, linear, write_onnx_file


def pixels_contract():
    return replace(CONTRACT, preprocess=Preprocess(8, 12, normalized_in_graph=True))


def quantised(path):
    """The file by hand with one tensor that goes through eight bits."""
    model = onnx.load(write_onnx_file(path))
    nodes = list(model.graph.node)
    scale, zero = (
        helper.make_tensor("scale", TensorProto.FLOAT, [], [0.05]),
        helper.make_tensor("zero", TensorProto.UINT8, [], [128]),
    )
    model.graph.initializer.extend([scale, zero])
    nodes[1].input[0] = "again"
    del model.graph.node[:]
    model.graph.node.extend(
        [
            nodes[0],
            helper.make_node("QuantizeLinear", ["means", "scale", "zero"], ["bytes"]),
            helper.make_node("DequantizeLinear", ["bytes", "scale", "zero"], ["again"]),
            nodes[1],
        ]
    )
    onnx.save(model, path)
    return path


def test_what_is_read_of_a_file(tmp_path):
    path = write_onnx_file(tmp_path / "model.onnx")
    form = onnx_form(path)
    assert (form.name, form.file, form.made) == ("onnx fp32", "model.onnx", False)
    assert (form.shape, form.dtype, form.bytes) == ((3, 8, 12), "float32", path.stat().st_size)
    ref = ref_of(path)
    assert ref is not None
    assert (ref.path, ref.arch, ref.run_id) == ("model.onnx", "by-hand", CONTRACT.run_id)


def test_it_answers_like_the_file(tmp_path):
    form = onnx_form(write_onnx_file(tmp_path / "model.onnx", linear()))
    images = inputs_of(form.shape, form.dtype, 5)
    (logits,) = form.open(1)(images)
    np.testing.assert_allclose(logits, linear()(images), rtol=1e-4, atol=1e-5)


def test_a_file_that_takes_pixels(tmp_path):
    form = onnx_form(write_onnx_file(tmp_path / "model.onnx", linear(), pixels_contract()))
    assert (form.shape, form.dtype) == ((8, 12, 3), "uint8")
    (logits,) = form.open(1)(inputs_of(form.shape, form.dtype, 2))
    assert logits.shape == (2, len(LABELS))


def test_a_file_of_another_program(tmp_path):
    path = write_onnx_file(tmp_path / "theirs.onnx", contract=None)
    assert onnx_form(path).name == "onnx fp32"
    assert ref_of(path) is None


def test_weights_outside_the_file_count(tmp_path):
    whole = onnx.load(write_onnx_file(tmp_path / "whole.onnx"))
    path = tmp_path / "model.onnx"
    onnx.save(whole, path, save_as_external_data=True, location="model.onnx.data", size_threshold=60)
    form = onnx_form(path)
    assert form.bytes == path.stat().st_size + (tmp_path / "model.onnx.data").stat().st_size
    form.open(1)(inputs_of(form.shape, form.dtype, 1))


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("model.onnx", ["model-fp16.onnx", "model-int8.onnx"]),
        ("model-int8.onnx", ["model.onnx", "model-fp16.onnx"]),
        ("model-live-fp16.onnx", ["model-live.onnx", "model-live-int8.onnx"]),
        ("a-int8-softmax.onnx", ["a-softmax.onnx", "a-fp16-softmax.onnx"]),
        ("a-softmax-uint8.onnx", ["a-fp16-softmax-uint8.onnx", "a-int8-softmax-uint8.onnx"]),
        ("int8.onnx", ["int8-fp16.onnx", "int8-int8.onnx"]),
    ],
)
def test_files_that_belong_together(name, others):
    assert [path.as_posix() for path in siblings(Path("x") / name)] == [f"x/{other}" for other in others]


def test_siblings_are_sorted_by_precision_and_missing_ones_are_told(tmp_path):
    quantised(tmp_path / "model-int8.onnx")
    write_onnx_file(tmp_path / "model.onnx")
    forms, notes = with_siblings(tmp_path / "model-int8.onnx")
    assert [(form.name, form.file) for form in forms] == [("onnx fp32", "model.onnx"), ("onnx int8", "model-int8.onnx")]
    assert notes == (f"Not timed: there is no {tmp_path / 'model-fp16.onnx'}.",)


def test_what_a_file_is_counts_and_not_its_name(tmp_path):
    """Two of one precision: the one that was named is timed."""
    write_onnx_file(tmp_path / "model.onnx")
    write_onnx_file(tmp_path / "model-int8.onnx")
    forms, _ = with_siblings(tmp_path / "model-int8.onnx")
    assert [(form.name, form.file) for form in forms] == [("onnx fp32", "model-int8.onnx")]


def running():
    return len(list(Path("/proc/self/task").iterdir()))


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_as_many_threads_as_asked(tmp_path):
    form = onnx_form(write_onnx_file(tmp_path / "model.onnx"))
    before = running()
    kept = [form.open(1)]
    assert running() == before
    kept.append(form.open(3))
    assert running() == before + 2
    del kept


def test_a_batch_that_the_file_does_not_take(tmp_path):
    form = onnx_form(write_onnx_file(tmp_path / "model.onnx", batch=2))
    answer = form.open(1)
    answer(inputs_of(form.shape, form.dtype, 2))
    with pytest.raises(ModelError, match="cannot answer for a batch of 3") as raised:
        answer(inputs_of(form.shape, form.dtype, 3))
    assert raised.value.hint is not None
    assert "batches of 2" in raised.value.hint


@pytest.mark.parametrize(
    "inputs",
    [
        [("a", TensorProto.FLOAT, ["n", 3, 4, 4]), ("b", TensorProto.FLOAT, ["n", 3, 4, 4])],
        [("a", TensorProto.FLOAT, ["n", 3, "height", "width"])],
        [("a", TensorProto.STRING, ["n", 4])],
    ],
)
def test_a_file_that_cannot_be_timed(tmp_path, inputs):
    infos = [helper.make_tensor_value_info(*one) for one in inputs]
    node = helper.make_node("Identity", ["a"], ["out"])
    out = helper.make_tensor_value_info("out", *inputs[0][1:])
    model = helper.make_model(
        helper.make_graph([node], "g", infos, [out]), opset_imports=[helper.make_opsetid("", 18)], ir_version=10
    )
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="only files that take one batch of images of one size"):
        onnx_form(tmp_path / "model.onnx")


@pytest.mark.parametrize("content", [None, b"", b"no ONNX file"])
def test_no_onnx_file(tmp_path, content):
    if content is not None:
        (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ModelError):
        with_siblings(tmp_path / "model.onnx")
