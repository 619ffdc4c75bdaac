"""Facts of a graph, and what is wrong with one."""

import onnx
import pytest

from clf_cli.engine.onnx_graph import graph_facts, graph_problems
from clf_cli.values.preprocess import Preprocess
from tests.onnx_models import CONTRACT, write_onnx_file


def problems(path, preprocess=CONTRACT.preprocess, classes=5):
    return graph_problems(path, graph_facts(path), preprocess, classes)


def test_facts(tmp_path):
    path = write_onnx_file(tmp_path / "model.onnx")
    facts = graph_facts(path)
    assert (facts.opset, facts.ir_version, facts.nodes, facts.external_data) == (18, 10, 2, False)
    assert facts.bytes == path.stat().st_size
    assert (facts.input_shape, facts.output_shape) == (("batch_size", 3, 8, 12), ("batch_size", 5))
    assert problems(path) == ()


def test_external_data_counts(tmp_path):
    path = write_onnx_file(tmp_path / "model.onnx")
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="model.onnx.data", size_threshold=0)
    facts = graph_facts(path)
    assert facts.external_data
    assert facts.bytes == path.stat().st_size + (tmp_path / "model.onnx.data").stat().st_size


def test_fixed_batch(tmp_path):
    found = problems(write_onnx_file(tmp_path / "model.onnx", batch=2))
    assert "the batch axis of the input is fixed at 2" in found


def test_other_shapes(tmp_path):
    path = write_onnx_file(tmp_path / "model.onnx")
    (found,) = problems(path, Preprocess(8, 8))
    assert found == "the input is batch_size x 3 x 8 x 12, the contract says batch_size x 3 x 8 x 8"
    (found,) = problems(path, classes=6)
    assert found == "the output is batch_size x 5, the contract says batch_size x 6"


@pytest.mark.parametrize("change", ["shape", "operator"])
def test_the_checker(tmp_path, change):
    path = write_onnx_file(tmp_path / "model.onnx")
    model = onnx.load(path)
    if change == "shape":
        model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 4
    else:
        model.graph.node[0].op_type = "ReduceMeen"
    onnx.save(model, path)
    assert any("the ONNX checker rejects the file" in found for found in problems(path))
