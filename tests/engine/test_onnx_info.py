"""What is read from an ONNX file, ours or not, whole or not."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from clf_cli.engine.onnx_info import Tensor, onnx_info
from clf_cli.errors import ModelError
from clf_cli.values.contract import CONTRACT_KEY
from clf_cli.values.layer import layer_types
from clf_cli.values.run_dir import RunDir
from tests.onnx_models import CONTRACT, write_onnx_file


def reasons(result):
    return [finding["reason"] for finding in result.findings]


def test_our_file(tmp_path):
    path = write_onnx_file(tmp_path / "model.onnx")
    result = onnx_info(path)
    assert (result.opsets, result.ir_version, result.producer) == ({"ai.onnx": 18}, 10, "clf")
    assert result.inputs == (Tensor("input", "float32", ("batch_size", 3, 8, 12)),)
    assert result.outputs == (Tensor("logits", "float32", ("batch_size", 5)),)
    assert (result.parameters, result.multiply_adds) == (2 + 3 * 5 + 5, 3 * 5)
    assert [(layer.type, layer.output, layer.parameters) for layer in result.layers] == [
        ("ReduceMean", (3,), 2),
        ("Gemm", (5,), 20),
    ]
    assert result.contract == CONTRACT
    assert result.used == ("CPUExecutionProvider",)
    assert set(result.used) <= set(result.available)
    assert (result.bytes, result.external_data) == (path.stat().st_size, {})


def test_the_report_names_the_model_and_is_plain(tmp_path):
    report = json.loads(json.dumps(onnx_info(write_onnx_file(tmp_path / "model.onnx")).report.to_json()))
    assert report["kind"] == "onnx_info"
    assert report["model"] == {"path": "model.onnx", "arch": "by-hand", "weights": "live", "run_id": "0123456789ab"}
    assert report["result"]["contract"] == CONTRACT.to_json()
    assert report["result"]["operators"] == {"ReduceMean": 1, "Gemm": 1}
    assert report["findings"][0]["reason"] == "these weights were never validated"


def test_a_runs_export_costs_what_its_network_costs(tiny_run: RunDir):
    trained = json.loads(tiny_run.report("model_info").read_text())["result"]
    shipped = onnx_info(tiny_run.onnx)
    assert shipped.multiply_adds == trained["multiply_adds"]
    assert shipped.parameters == pytest.approx(trained["parameters"], rel=0.01)  # norms are folded into convolutions
    assert shipped.report.to_json()["model"]["path"] == "export/model.onnx"
    assert layer_types(shipped.layers)["Conv"] == trained["layer_types"]["Conv2d"]


def test_an_int8_file_has_the_weights_of_its_network(tmp_path):
    """Scales and zero points are none, and the weights stand beside the product that takes them."""
    model = onnx.load(write_onnx_file(tmp_path / "a.onnx"))
    graph = model.graph
    scale, zero = np.full(5, 0.1, np.float32), np.zeros(5, np.int8)
    graph.initializer[1].CopyFrom(numpy_helper.from_array(np.ones((3, 5), np.int8), "weights_quantized"))
    graph.initializer.extend([numpy_helper.from_array(scale, "scale"), numpy_helper.from_array(zero, "zero")])
    given = ["weights_quantized", "scale", "zero"]
    graph.node.insert(0, helper.make_node("DequantizeLinear", given, ["weights"], axis=1))
    onnx.save(model, tmp_path / "b.onnx")
    result = onnx_info(tmp_path / "b.onnx")
    assert (result.precision, result.quantizer) == ("int8", None)
    assert (result.parameters, result.multiply_adds) == (2 + 3 * 5 + 5, 3 * 5)
    assert [(layer.type, layer.parameters) for layer in result.layers] == [
        ("DequantizeLinear", 0),
        ("ReduceMean", 2),
        ("Gemm", 20),
    ]


# Files of others, and broken ones


def test_another_tools_file_has_graph_facts_and_no_contract(tmp_path):
    path = write_onnx_file(tmp_path / "model.onnx", metadata={"names": "{0: 'cat'}", "stride": "32"})
    result = onnx_info(path)
    assert (result.contract, result.model, result.report.to_json()["model"]) == (None, None, None)
    assert result.metadata == ("names", "stride")
    assert result.multiply_adds == 15
    assert "was not exported by clf" in reasons(result)[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read"),
        (json.dumps({**CONTRACT.to_json(), "version": 2}), "contract version 2"),
    ],
)
def test_a_contract_that_cannot_be_read_is_told(tmp_path, text, words):
    result = onnx_info(write_onnx_file(tmp_path / "model.onnx", metadata={CONTRACT_KEY: text}))
    assert result.contract is None
    assert words in reasons(result)[0]


def test_a_contract_of_another_graph_is_told_and_kept(tmp_path):
    labels = {**CONTRACT.to_json(), "labels": ["a", "b"]}
    result = onnx_info(write_onnx_file(tmp_path / "model.onnx", metadata={CONTRACT_KEY: json.dumps(labels)}))
    assert result.contract is not None
    assert any("does not describe its graph" in reason for reason in reasons(result))


def test_a_file_that_the_runtime_refuses_still_shows_its_graph(tmp_path):
    path = write_onnx_file(tmp_path / "model.onnx")
    model = onnx.load(path)
    model.graph.node[0].op_type, model.graph.node[0].domain = "Blur", "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 3))
    onnx.save(model, path)
    result = onnx_info(path)
    assert result.opsets == {"ai.onnx": 18, "com.example": 3}
    assert layer_types(result.layers) == {"com.example.Blur": 1, "Gemm": 1}
    assert (result.used, result.contract, result.multiply_adds) == ((), None, None)
    assert "com.example.Blur" in reasons(result)[0]


@pytest.mark.parametrize("kept", [True, False])
def test_weights_in_another_file(tmp_path, kept):
    path = write_onnx_file(tmp_path / "model.onnx")
    model = onnx.load(path)
    model.graph.initializer[1].CopyFrom(numpy_helper.from_array(np.zeros((3, 5), np.float32), "weights"))
    onnx.save(model, path, save_as_external_data=True, location="model.onnx.data", size_threshold=60)
    if not kept:
        (tmp_path / "model.onnx.data").unlink()
    result = onnx_info(path)
    assert result.parameters == 22
    assert (result.external_data["model.onnx.data"] is not None) is kept
    assert (result.used == ()) is not kept


def test_weights_out_of_the_folder_are_not_looked_for(tmp_path):
    path = write_onnx_file(tmp_path / "shipped" / "model.onnx")
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="model.onnx.data", size_threshold=0)
    (tmp_path / "shipped" / "model.onnx.data").rename(tmp_path / "secret")
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        tensor.external_data[0].value = "../secret"
    path.write_bytes(model.SerializeToString())
    result = onnx_info(path)
    assert (result.external_data, result.used) == ({"../secret": None}, ())
    assert "outside itself, in '../secret'" in reasons(result)[0]


def test_values_that_are_no_tensors_of_known_shape(tmp_path):
    path = tmp_path / "model.onnx"
    graph = helper.make_graph(
        [helper.make_node("SequenceConstruct", ["x", "x"], ["pair"]), helper.make_node("MatMul", ["x", "x"], ["y"])],
        "by_hand",
        [helper.make_tensor_value_info("x", TensorProto.BFLOAT16, None)],
        [
            helper.make_tensor_sequence_value_info("pair", TensorProto.BFLOAT16, None),
            helper.make_tensor_value_info("y", TensorProto.BFLOAT16, [None, "n"]),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    result = onnx_info(path)
    assert result.inputs == (Tensor("x", "bfloat16", None),)
    assert result.outputs == (Tensor("pair", "sequence_type", None), Tensor("y", "bfloat16", (None, "n")))
    assert result.multiply_adds is None


@pytest.mark.parametrize("content", [b"", b"{}", b"\x89PNG\r\n\x1a\n" * 40])
def test_what_is_no_onnx_is_refused(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="not an ONNX file"):
        onnx_info(path)


def test_a_file_cut_short_is_refused(tmp_path):
    path = write_onnx_file(tmp_path / "model.onnx")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ModelError, match="bytes"):
        onnx_info(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "model.onnx", tmp_path):
        with pytest.raises(ModelError):
            onnx_info(path)
