"""Weights outside an ONNX file: ours beside it are read, any other place is refused before it is opened."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from clf_cli.errors import ModelError
from clf_cli.models.onnx import onnx_logits, open_session
from clf_cli.models.onnx_outside import OutsideTensor, check_outside, not_onnx, outside_tensors
from clf_cli.values.contract import CONTRACT_KEY
from tests.onnx_models import CONTRACT, linear, write_onnx_file


def split(path: Path, location: str | None = None) -> Path:
    """The file with its weights in `<name>.data`, which it then calls `location`; only axes stay, of two numbers."""
    path = write_onnx_file(path)
    onnx.save(onnx.load(path), path, save_as_external_data=True, location=f"{path.name}.data", size_threshold=50)
    if location is not None:
        model = onnx.load(path, load_external_data=False)
        for tensor in model.graph.initializer[1:]:
            assert tensor.external_data[0].key == "location"
            tensor.external_data[0].value = location
        path.write_bytes(model.SerializeToString())
    return path


def refused(path: Path, *words: str) -> None:
    for opens in (check_outside, onnx_logits):
        with pytest.raises(ModelError) as caught:
            opens(path)
        assert caught.value.exit_code == 4
        assert caught.value.hint
        for word in words:
            assert word in caught.value.message


def test_our_own_data_file(tmp_path):
    path = split(tmp_path / "model.onnx")
    assert {tensor.location for tensor in outside_tensors(path)} == {"model.onnx.data"}
    assert max(tensor.end for tensor in outside_tensors(path)) <= (tmp_path / "model.onnx.data").stat().st_size
    logits, _ = onnx_logits(path, threads=1)
    images = np.random.default_rng(0).standard_normal((2, 3, 8, 12), dtype=np.float32)
    np.testing.assert_allclose(logits(images), linear()(images), atol=1e-5)


def test_both_files_may_be_links_into_one_folder(tmp_path):
    """As the cache of a model hub lays files out."""
    stored = split(tmp_path / "blobs" / "model.onnx")
    for name in (stored.name, f"{stored.name}.data"):
        (tmp_path / name).symlink_to(stored.with_name(name))
    check_outside(tmp_path / "model.onnx")


@pytest.mark.parametrize(
    "location", ["weights.bin", "sub/model.onnx.data", "../model.onnx.data", "./model.onnx.data", "", "a\0b", "*/x/*"]
)
def test_any_other_place(tmp_path, location):
    path = split(tmp_path / "here" / "model.onnx", location)
    for there in (path.parent / "sub", tmp_path):
        there.mkdir(exist_ok=True)
        shutil.copy(path.with_name("model.onnx.data"), there)
    shutil.copy(path.with_name("model.onnx.data"), path.with_name("weights.bin"))
    refused(path, "outside itself", repr(location))


def test_an_absolute_path(tmp_path):
    path = split(tmp_path / "model.onnx", str(tmp_path / "model.onnx.data"))
    refused(path, "outside itself", "no such file")


def test_a_missing_file(tmp_path):
    path = split(tmp_path / "model.onnx")
    (tmp_path / "model.onnx.data").unlink()
    refused(path, "model.onnx.data", "does not lie beside it")


def test_a_file_under_another_name_than_its_data(tmp_path):
    path = split(tmp_path / "model.onnx").rename(tmp_path / "renamed.onnx")
    refused(path, "'model.onnx.data'")


def test_a_link_out_of_the_folder(tmp_path):
    path = split(tmp_path / "shipped" / "model.onnx")
    data = path.with_name("model.onnx.data")
    data.rename(tmp_path / "secret")
    data.symlink_to(tmp_path / "secret")
    refused(path, "does not lie beside it")


def test_a_shorter_file(tmp_path):
    path = split(tmp_path / "model.onnx")
    data = tmp_path / "model.onnx.data"
    data.write_bytes(data.read_bytes()[:-1])
    refused(path, "model.onnx.data is cut short")


def outside(name: str) -> TensorProto:
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), name)
    onnx.external_data_helper.set_external_data(tensor, location=f"{name}.bin", offset=8, length=16)
    tensor.ClearField("raw_data")
    return tensor


def test_every_place_in_which_a_tensor_can_stand(tmp_path):
    """A constant in the branch of a condition or in a function is read as the initialisers are."""
    constant = helper.make_node("Constant", [], ["c"], value=outside("attribute"))
    several = helper.make_node("Several", [], ["d"], domain="com.example", many=[outside("list")])
    branch = helper.make_graph([constant], "branch", [], [], [outside("branch")])
    sparse = helper.make_sparse_tensor(outside("values"), outside("indices"), [8])
    condition = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    graph = helper.make_graph([condition, several], "main", [], [], [outside("weights")], sparse_initializer=[sparse])
    function = helper.make_function("com.example", "f", [], ["c"], [constant], [helper.make_opsetid("", 18)])
    model = helper.make_model(graph, functions=[function])
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    found = list(outside_tensors(path))
    names = {"attribute", "list", "branch", "values", "indices", "weights"}
    assert {tensor.location for tensor in found} == {f"{name}.bin" for name in names}
    assert len([tensor for tensor in found if tensor.location == "attribute.bin"]) == 3  # two branches, a function
    assert OutsideTensor("weights.bin", 24) in found


def test_graphs_in_graphs_without_end(tmp_path):
    inner = b""
    for _ in range(5000):  # Graph.node(1) Node.attribute(5) Attribute.g(6), over and over
        for tag in (b"\x32", b"\x2a", b"\x0a"):
            inner = tag + varint(len(inner)) + inner
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x3a" + varint(len(inner)) + inner)
    assert list(outside_tensors(path)) == []
    with pytest.raises(ModelError):
        open_session(path, 1)


def varint(value: int) -> bytes:
    parts = []
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def test_cut_at_every_length(tmp_path):
    """Each is refused, or has lost nothing but what no reader needs."""
    whole = write_onnx_file(tmp_path / "whole.onnx").read_bytes()
    path = tmp_path / "model.onnx"
    complete, refusals = [], []
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        try:
            onnx_logits(path, threads=1)
        except ModelError as error:
            refusals.append(error.message)
        else:
            complete.append(length)
    assert all(path.name in message for message in refusals)
    assert min(complete, default=len(whole)) > whole.index(CONTRACT.metadata()[CONTRACT_KEY].encode()[-40:])


@pytest.mark.parametrize("seed", range(20))
def test_random_bytes(tmp_path, seed):
    path = tmp_path / "model.onnx"
    path.write_bytes(np.random.default_rng(seed).bytes(seed * 97 + 1))
    with pytest.raises(ModelError) as caught:
        open_session(path, 1)
    assert caught.value.exit_code == 4


def test_a_checkpoint_is_named_as_one(tmp_path):
    error = not_onnx(write_file(tmp_path / "best.ckpt"))
    assert "is a checkpoint" in error.message
    assert "clf export" in error.hint
    assert "cut short (3 bytes)" in not_onnx(write_file(tmp_path / "best.onnx")).message


def write_file(path):
    path.write_bytes(b"PK\x03")
    return path
