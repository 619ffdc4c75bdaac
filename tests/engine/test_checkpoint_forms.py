"""A checkpoint as forms: torch as every command runs it, ONNX files where they are, and made where they are not."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from clf_cli.engine.benchmark import inputs_of
from clf_cli.engine.checkpoint_forms import ShippedFiles, checkpoint_ref, onnx_forms, shipped_files, torch_form
from clf_cli.errors import ModelError
from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.models.network import network_classifier
from tests.onnx_models import COMPUTE, CONTRACT, FACTS, linear, write_checkpoint, write_onnx_file


@pytest.fixture(autouse=True)
def _threads_of_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_torch_answers_as_in_every_command(tmp_path):
    checkpoint = read_checkpoint(write_checkpoint(tmp_path / "best.ckpt"))
    form = torch_form(checkpoint, COMPUTE)
    assert (form.name, form.file, form.shape, form.dtype) == ("torch fp32", "best.ckpt", (3, 32, 32), "float32")
    images = inputs_of(form.shape, form.dtype, 3)
    np.testing.assert_array_equal(form.open(1)(images), network_classifier(checkpoint.path).logits(images))
    assert form.bytes == sum(value.nbytes for value in checkpoint.state_dict.values())


def test_torch_loads_its_file_each_time(tmp_path):
    """`load_seconds` stands beside those of ONNX files, which are read from the disk too."""
    path = write_checkpoint(tmp_path / "best.ckpt")
    form = torch_form(read_checkpoint(path), COMPUTE)
    path.unlink()
    with pytest.raises(ModelError, match=r"best\.ckpt"):
        form.open(1)


@pytest.mark.parametrize("threads", [1, 3])
def test_torch_gets_its_threads(tmp_path, threads):
    """Also more than there are cores, and on the CPU whatever trained."""
    form = torch_form(read_checkpoint(write_checkpoint(tmp_path / "best.ckpt")), replace(COMPUTE, device="cuda:0"))
    form.open(threads)
    assert torch.get_num_threads() == threads


def test_files_that_are_there_are_taken(tmp_path):
    checkpoint = read_checkpoint(write_checkpoint(tmp_path / "best.ckpt"))
    assert shipped_files(checkpoint).missing == ("fp32", "fp16", "int8")
    for name in ("best.onnx", "best-fp16.onnx", "best-int8.onnx"):
        write_onnx_file(tmp_path / name)
    files = shipped_files(checkpoint)
    assert files.missing == ()
    assert {precision: path.name for precision, path in files.there.items()} == {
        "fp32": "best.onnx",
        "fp16": "best-fp16.onnx",
        "int8": "best-int8.onnx",
    }
    forms, notes = onnx_forms(checkpoint, files, COMPUTE, tmp_path / "nothing")
    assert notes == ()
    assert [(form.file, form.made) for form in forms] == [(path.name, False) for path in files.there.values()]


def test_the_run_names_its_own(tiny_run):
    checkpoint = read_checkpoint(tiny_run.best)
    assert shipped_files(checkpoint).there["fp32"].resolve() == tiny_run.onnx.resolve()
    assert checkpoint_ref(checkpoint).path == "checkpoints/best.ckpt"


def test_missing_files_are_made_aside(tmp_path):
    """The same network in every precision; nothing is left beside the checkpoint."""
    path = write_checkpoint(tmp_path / "best.ckpt", FACTS)
    checkpoint, folder = read_checkpoint(path), tmp_path / "aside"
    folder.mkdir()
    content = path.read_bytes()
    forms, notes = onnx_forms(checkpoint, shipped_files(checkpoint), COMPUTE, folder)
    assert notes == ()
    assert [form.name for form in forms] == ["onnx fp32", "onnx fp16", "onnx int8"]
    assert all(form.made for form in forms)
    images = inputs_of((3, 32, 32), "float32", 4)
    wanted = network_classifier(path).logits(images)
    for form, tolerance in zip(forms, (1e-4, 2e-2, 0.5), strict=True):
        answer = form.open(1)(images)
        assert isinstance(answer, list)
        assert np.abs(answer[0] - wanted).max() <= tolerance * np.abs(wanted).max()
    assert forms[0].bytes > 1.7 * forms[1].bytes > 1.7 * 1.3 * forms[2].bytes
    assert sorted(file.name for file in tmp_path.iterdir()) == ["aside", "best.ckpt"]
    assert path.read_bytes() == content


def test_a_precision_that_cannot_be_made_is_told_and_left_out(tmp_path):
    """No product, so no integers; float16 goes."""
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, 32, 32]) for name in ("input", "logits")]
    graph = helper.make_graph([helper.make_node("Relu", ["input"], ["logits"])], "relu", [info[0]], [info[1]])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), tmp_path / "a.onnx")
    checkpoint = read_checkpoint(write_checkpoint(tmp_path / "best.ckpt"))
    (tmp_path / "aside").mkdir()
    files = ShippedFiles({"fp32": tmp_path / "a.onnx"}, ("fp16", "int8"))
    forms, notes = onnx_forms(checkpoint, files, COMPUTE, tmp_path / "aside")
    assert [(form.name, form.made) for form in forms] == [("onnx fp32", False), ("onnx fp16", True)]
    (note,) = notes
    assert note.startswith("Not timed: no int8 file can be made, ")
    assert "no convolution" in note


def test_weights_outside_the_file_come_along(tmp_path):
    contract = replace(CONTRACT, preprocess=FACTS.preprocess)
    whole = onnx.load(write_onnx_file(tmp_path / "whole.onnx", linear(), contract))
    path = tmp_path / "best.onnx"
    onnx.save(whole, path, save_as_external_data=True, location="best.onnx.data", size_threshold=60)
    checkpoint = read_checkpoint(write_checkpoint(tmp_path / "best.ckpt"))
    (tmp_path / "aside").mkdir()
    forms, notes = onnx_forms(checkpoint, ShippedFiles({"fp32": path}, ("int8",)), COMPUTE, tmp_path / "aside")
    assert notes == ()
    images = inputs_of((3, 32, 32), "float32", 3)
    plain, small = (form.open(1)(images)[0] for form in forms)
    np.testing.assert_allclose(small, plain, atol=0.1)
