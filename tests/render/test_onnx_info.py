"""An ONNX file as a person reads it."""

from dataclasses import replace

from rich.console import Console

from clf_cli.engine.onnx_info import OnnxInfoResult, Tensor
from clf_cli.render.onnx_info import table, table_with_layers
from clf_cli.values.contract import Score
from clf_cli.values.layer import Layer
from tests.onnx_models import CONTRACT

RESULT = OnnxInfoResult(
    model=None,
    bytes=13_644_923,
    external_data={},
    opsets={"ai.onnx": 18, "com.microsoft": 1},
    ir_version=10,
    producer="clf 0.1.0",
    inputs=(Tensor("input", "float32", ("batch_size", 3, 8, 12)),),
    outputs=(Tensor("logits", "float32", ("batch_size", None)),),
    parameters=3_403_808,
    multiply_adds=70_567_392,
    layers=(Layer("a", "Conv", (4, 6, 6), 9), Layer("b", "Conv", (4, 6, 6), 9), Layer("[c]", "Gemm", (5,), 20)),
    available=("CUDAExecutionProvider", "CPUExecutionProvider"),
    used=("CPUExecutionProvider",),
    contract=CONTRACT,
    metadata=("clf.contract", "names"),
    findings=(),
)


def shown(result, view=table):
    console = Console(width=120)
    with console.capture() as capture:
        console.print(view(result))
    return capture.get()


def test_graph_and_contract():
    text = shown(RESULT)
    for words in (
        "13.6 MB",
        "18 (ai.onnx), 1 (com.microsoft)",
        "clf 0.1.0, IR version 10",
        "input float32 batch_size × 3 × 8 × 12",
        "logits float32 batch_size × –",
        "2 Conv, 1 Gemm",
        "available: CUDAExecutionProvider, CPUExecutionProvider; used: CPUExecutionProvider",
        "by-hand",
        "never validated",
        "5: (empty), 0, 00, 7, grün",
        "not calibrated",
        "3 × 8 × 12, squash",
    ):
        assert words in text


def test_precision():
    assert "Precision      fp32" in shown(RESULT)
    made = {"precision": "int8", "tool": "clf", "calibration": "ranges, 9 train images"}
    assert "int8: ranges, 9 train images" in shown(replace(RESULT, precision="int8", quantizer=made))
    assert "fp16: a tool" in shown(replace(RESULT, precision="fp16", quantizer={"tool": "a tool"}))


def test_pixels():
    taking = replace(CONTRACT, preprocess=replace(CONTRACT.preprocess, normalized_in_graph=True))
    assert "8 × 12 × 3 pixels, squash" in shown(replace(RESULT, contract=taking))


def test_a_calibrated_contract():
    score = Score("val/acc_top1", "val", 0.9142, "ema")
    contract = replace(CONTRACT, score=score, temperature=1.25, thresholds=(0.5, None, 0.7, None, 0.9))
    text = shown(replace(RESULT, contract=contract))
    for words in ("val/acc_top1 0.9142", "1.2500", "3 classes of 5"):
        assert words in text


def test_without_a_contract_the_metadata_are_named():
    text = shown(replace(RESULT, contract=None, metadata=("stride",), multiply_adds=None, used=(), producer=""))
    for words in ("stride", "Multiply-adds  –", "used: none", "unknown, IR version"):
        assert words in text


def test_files_beside_it():
    text = shown(replace(RESULT, external_data={"a.data": 2_000_000, "b.data": None}))
    assert "13.6 MB + a.data 2.0 MB + b.data is missing" in text


def test_nodes_one_by_one():
    text = shown(RESULT, table_with_layers)
    assert "[c]" in text
    assert "2 Conv, 1 Gemm" not in text
