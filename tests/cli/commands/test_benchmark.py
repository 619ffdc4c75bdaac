"""clf benchmark on a run, its checkpoint and its ONNX file: what is timed, what is written, bad input."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from clf_cli.models.compute import available_cores
from clf_cli.values.run_dir import RunDir
from tests.onnx_models import CONTRACT, linear, write_onnx_file
from tests.running import TORCH, Clf, clf_without, mark, report_of

QUICK = ("--seconds", "0.01", "--batch-sizes", "1,2")
ALL = ["torch fp32", "onnx fp32", "onnx fp16", "onnx int8"]


@pytest.fixture(autouse=True)
def _threads_of_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two ONNX files that belong together by name."""
    monkeypatch.chdir(tmp_path)
    write_onnx_file(tmp_path / "model.onnx", linear(), CONTRACT)
    return tmp_path


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_in_every_form_and_nothing_is_written(clf: Clf, run: RunDir):
    before = content(run.root)
    done = clf("benchmark", run.root, *QUICK, "--threads", "1,2", "--json")
    report = report_of(done)
    assert (report["kind"], report["model"]["path"], report["data"]) == ("benchmark", "checkpoints/best.ckpt", None)
    result = report["result"]
    assert result["baseline"] == "torch fp32"
    assert [(form["form"], form["made"]) for form in result["forms"]] == list(
        zip(ALL, (False, False, True, True), strict=True)
    )
    cases = [(timing["threads"], timing["batch_size"], timing["form"]) for timing in result["timings"]]
    assert cases == [(threads, size, form) for threads in (1, 2) for size in (1, 2) for form in ALL]
    assert all(timing["latency_p95"] >= timing["latency_p50"] > 0 for timing in result["timings"])
    assert "There is no ONNX file of fp16, int8: made for this measurement" in done.stderr
    assert "Timing 4 forms in 4 cases, in turns: 0.2 s or more" in done.stderr
    assert content(run.root) == before


def test_an_onnx_file_alone_without_torch(files: Path):
    done = clf_without(TORCH, "benchmark", files / "model.onnx", *QUICK)
    assert done.code == 0, done.stderr
    assert "onnx fp32" in done.stdout
    assert f"Not timed: there is no {files / 'model-int8.onnx'}." in done.stderr


def test_files_are_written_where_asked(clf: Clf, files: Path):
    done = clf("benchmark", "model.onnx", *QUICK, "-o", "times")
    assert done.code == 0, done.stderr
    assert done.stderr.count("Wrote ") == 2
    report = json.loads(Path("times/benchmark.json").read_text())
    with Path("times/benchmark.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["calls"]) for row in rows] == [timing["calls"] for timing in report["result"]["timings"]]


def test_more_threads_than_cores_are_a_warning(clf: Clf, files: Path):
    threads = available_cores() + 1
    done = clf("benchmark", "model.onnx", *QUICK, "--threads", threads, "-q", "--json")
    (finding,) = report_of(done)["findings"]
    assert finding["reason"].startswith(f"{threads} threads share {threads - 1} core")
    assert f"Warning: {threads} threads share" in done.stderr


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--batch-sizes", "0"), "batch-sizes"),
        (("--batch-sizes", "many"), "batch-sizes"),
        (("--threads", "-1"), "threads"),
        (("--seconds", "0"), "seconds"),
        (("--seconds", "nan"), "seconds"),
        (("-o", "model.onnx"), "is a file"),
    ],
)
def test_numbers_that_make_no_sense_are_exit_2(clf: Clf, files: Path, flags: tuple[str, str], said: str):
    done = clf("benchmark", "model.onnx", *flags)
    assert done.code == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_no_model_is_guessed(clf: Clf, files: Path):
    assert clf("benchmark").code == 2


def test_models_that_cannot_be_used_are_exit_4(clf: Clf, files: Path):
    Path("folder").mkdir()
    Path("text.onnx").write_text("no ONNX file")
    Path("text.ckpt").write_text("no checkpoint")
    for model, said in (
        ("nowhere", "There is no nowhere."),
        ("folder", "folder is not a run"),
        ("text.onnx", "not an ONNX file"),
        ("text.ckpt", "text.ckpt"),
    ):
        done = clf("benchmark", model, *QUICK)
        assert done.code == 4, (model, done.stderr)
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_a_run_that_is_not_finished_is_refused_and_its_checkpoint_named(clf: Clf, run: RunDir):
    mark(run, "interrupted")
    done = clf("benchmark", run.root, *QUICK)
    assert done.code == 4
    assert "ended early" in done.stderr
    assert "best.ckpt" in done.stderr


def test_a_batch_that_the_file_was_not_made_for_is_exit_4(clf: Clf, files: Path):
    write_onnx_file(files / "one.onnx", linear(), CONTRACT, batch=1)
    assert clf("benchmark", "one.onnx", "--seconds", "0.01", "--batch-sizes", "1").code == 0
    done = clf("benchmark", "one.onnx", "--seconds", "0.01", "--batch-sizes", "1,2")
    assert done.code == 4
    assert "It was made for batches of 1" in done.stderr


def test_a_copied_export_folder_needs_no_run(clf: Clf, run: RunDir, tmp_path: Path):
    shutil.copytree(run.export, tmp_path / "shipped")
    report = report_of(clf("benchmark", tmp_path / "shipped" / "model.onnx", *QUICK, "--json"))
    assert (report["model"]["path"], report["result"]["baseline"]) == ("model.onnx", "onnx fp32")
