"""What ONNX's checker sees of a file: all but the numbers of large weights, and its verdict is the same."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from clf_cli.errors import ModelError
from clf_cli.models import onnx_limits
from clf_cli.models.onnx_limits import check_limits
from clf_cli.models.onnx_outline import outline
from tests.onnx_models import write_onnx_file

TYPES = (np.float32, np.float16, np.float64, np.int8, np.uint8, np.int32, np.int64, np.bool_)


def model(*weights: onnx.TensorProto) -> onnx.ModelProto:
    """x + 1, with weights that nothing reads."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3]) for name in "xy")
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    graph = helper.make_graph(nodes, "graph", [x], [y], initializer=list(weights))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def written(made: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(made.SerializeToString())
    return path


def whole_verdict(path: Path) -> str:
    try:
        onnx.checker.check_model(str(path))
    except (onnx.checker.ValidationError, ValueError) as error:
        return type(error).__name__
    return "passed"


@pytest.mark.parametrize("kind", TYPES)
def test_one_number_of_a_large_weight_stays(tmp_path, kind):
    weight = numpy_helper.from_array(np.arange(2000).reshape(40, 50).astype(kind), "w")
    small = numpy_helper.from_array(np.arange(3), "small")
    seen = onnx.ModelProto.FromString(outline(written(model(weight, small), tmp_path / "model.onnx")))
    expected = model(weight, small)
    tensor = expected.graph.initializer[0]
    del tensor.dims[:]
    tensor.raw_data = tensor.raw_data[: np.dtype(kind).itemsize]
    assert seen == expected
    onnx.checker.check_model(seen)


def test_a_file_as_it_is_exported(tmp_path):
    path = write_onnx_file(tmp_path / "model.onnx")
    seen, there = onnx.ModelProto.FromString(outline(path)), onnx.load(path)
    assert seen.graph.node == there.graph.node
    assert [tensor.name for tensor in seen.graph.initializer] == [tensor.name for tensor in there.graph.initializer]
    assert seen.metadata_props == there.metadata_props


def large() -> onnx.TensorProto:
    return numpy_helper.from_array(np.zeros((40, 50), np.float32), "w")


def cut_short() -> onnx.TensorProto:
    weight = large()
    weight.raw_data = weight.raw_data[:-4]
    return weight


def of_two_kinds() -> onnx.TensorProto:
    weight = large()
    weight.float_data.append(1.0)
    return weight


def of_no_kind() -> onnx.TensorProto:
    weight = large()
    weight.data_type = 0
    return weight


def of_texts() -> onnx.TensorProto:
    weight = large()
    weight.data_type = TensorProto.STRING
    return weight


def of_negative_sides() -> onnx.TensorProto:
    weight = large()
    del weight.dims[:]
    weight.dims.extend([-40, -50])
    return weight


def elsewhere() -> onnx.TensorProto:
    weight = large()
    weight.data_location = TensorProto.EXTERNAL
    return weight


@pytest.mark.parametrize("weight", [cut_short, of_two_kinds, of_no_kind, of_texts, of_negative_sides, elsewhere])
def test_what_is_not_plainly_a_weight_stands_as_it_does(tmp_path, weight):
    path = written(model(weight()), tmp_path / "model.onnx")
    seen = onnx.ModelProto.FromString(outline(path))
    assert seen == onnx.load(path, load_external_data=False)
    assert whole_verdict(path) == whole_verdict(written(seen, tmp_path / "seen.onnx"))


@pytest.mark.parametrize("weight", [large, cut_short, of_two_kinds, of_no_kind, of_texts])
def test_the_verdict_is_that_on_the_whole_file(tmp_path, weight):
    path = written(model(weight()), tmp_path / "model.onnx")
    if whole_verdict(path) == "passed":
        check_limits(path)
    else:
        with pytest.raises(ModelError, match="refused by ONNX's checker"):
            check_limits(path)


def test_the_whole_file_is_checked_where_its_outline_is_refused(tmp_path, monkeypatch):
    """So that what a later checker wants of weights costs time only."""
    path = written(model(large()), tmp_path / "model.onnx")
    monkeypatch.setattr(onnx_limits, "outline", lambda path: b"no protobuf")
    check_limits(path)


def test_two_initialisers_of_one_name_are_refused(tmp_path):
    path = written(model(large(), large()), tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="checker"):
        check_limits(path)


def test_half_a_file_has_no_outline(tmp_path):
    path = written(model(large()), tmp_path / "model.onnx")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="message"):
        outline(path)
