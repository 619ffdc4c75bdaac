"""A measurement as a person reads it, and as files."""

import csv
import json

import pytest
from rich.console import Console

from clf_cli.engine.benchmark import BenchmarkResult, Form, Opened, Timing
from clf_cli.files import json_text
from clf_cli.render.benchmark import HEADER, table
from clf_cli.render.benchmark_files import write_benchmark

TORCH = Opened(Form("torch fp32", "[b]est.ckpt", 13_900_000, (3, 4, 4), "float32", lambda _: len), 1.24)
INT8 = Opened(Form("onnx int8", "model.onnx", 3_500_000, (3, 4, 4), "float32", lambda _: len, made=True), 0.0123)
TIMINGS = (
    Timing("torch fp32", 1, 1, 100, 0.0205, 0.03, 0.0205, 48.0, 1.0, 0.99),
    Timing("onnx int8", 1, 1, 400, 0.000_042, 0.000_05, 0.000_042, 23_000.0, 4.1, 0.99),
    Timing("torch fp32", 1, 32, 10, 1.3184, 1.5, 1.31, 24.2, 1.0, 0.99),
    Timing("onnx int8", 1, 32, 10, 0.3, 0.4, 0.3, 106.0, 4.33, 0.99),
)
RESULT = BenchmarkResult(None, (TORCH, INT8), TIMINGS, 2.0, 2)


def cells():
    console = Console(width=100, no_color=True)
    with console.capture() as capture:
        console.print(table(RESULT))
    return [[cell.strip() for cell in line.strip("│┃").split("│")] for line in capture.get().splitlines()]


def test_the_forms_and_where_they_are_from():
    found = cells()
    assert ["torch fp32", "[b]est.ckpt", "13.9 MB", "1.2 s"] in found
    assert ["onnx int8", "made for this, not kept", "3.5 MB", "0.01 s"] in found


def test_the_cases_side_by_side():
    found = cells()
    start = found.index(["1", "1", "torch fp32", "20.50 ms", "30.00 ms", "48.0", "1.00"])
    assert found[start + 1] == ["", "", "onnx int8", "0.042 ms", "0.050 ms", "23,000", "4.10"]
    assert ["1", "32", "torch fp32", "1,318 ms", "1,500 ms", "24.2", "1.00"] in found
    assert ["", "", "onnx int8", "300 ms", "400 ms", "106", "4.33"] in found


def test_the_ratios_say_against_what():
    assert any("× torch fp32" in cell for line in cells() for cell in line)


def test_files(tmp_path):
    paths = write_benchmark(RESULT.report, tmp_path / "new" / "benchmark")
    assert [path.name for path in paths] == ["benchmark.json", "benchmark.csv"]
    assert json.loads(paths[0].read_text()) == json.loads(json_text(RESULT.report.to_json()))
    with paths[1].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == HEADER
    assert [(row["form"], row["batch_size"], row["calls"]) for row in rows] == [
        (one.form, str(one.batch_size), str(one.calls)) for one in TIMINGS
    ]
    for row, timing in zip(rows, TIMINGS, strict=True):
        assert float(row["latency_p50_ms"]) == pytest.approx(1e3 * timing.latency_p50)
        assert float(row["cpu_p50_ms"]) == pytest.approx(1e3 * timing.cpu_p50)
        assert float(row["ratio"]) == timing.ratio
    assert rows[1]["bytes"] == "3500000"
