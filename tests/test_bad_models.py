"""A model that cannot be used is one clear error with the same exit code in every command that takes one."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from clf_cli.values.run_dir import RunDir
from tests.running import Clf, mark

ON_A_SPLIT = ("evaluate", "confusion", "samples", "calibrate")
ON_A_MODEL = (*ON_A_SPLIT, "model-info")


@pytest.fixture
def run(tiny_run: RunDir, tmp_path: Path) -> RunDir:
    """A copy without what these tests do not read."""
    left_out = shutil.ignore_patterns("epochs", "last.ckpt", "top")
    shutil.copytree(tiny_run.root, tmp_path / "runs" / "tiny", ignore=left_out)
    return RunDir(tmp_path / "runs" / "tiny")


@pytest.mark.parametrize("command", ON_A_MODEL)
@pytest.mark.parametrize(
    ("status", "words"), [("running", "still training"), ("failed", "failed"), ("interrupted", "interrupted")]
)
def test_a_run_that_has_not_finished(clf: Clf, run: RunDir, command: str, status: str, words: str) -> None:
    mark(run, status)
    done = clf(command, run.root)
    assert done.code == 4
    assert words in done.stderr
    assert str(run.best) in done.stderr, "the checkpoint that may be named instead"
    assert not done.stdout


def test_its_checkpoint_may_be_named(clf: Clf, run: RunDir) -> None:
    mark(run, "running")
    assert clf("evaluate", run.best).code == 0


@pytest.mark.parametrize("command", ON_A_MODEL)
def test_a_run_of_a_newer_format(clf: Clf, run: RunDir, command: str) -> None:
    record = json.loads(run.run_json.read_text())
    run.run_json.write_text(json.dumps({**record, "format_version": 99, "clf": "9.9"}))
    for model in (run.root, run.onnx) if command in ON_A_SPLIT else (run.root,):
        done = clf(command, model)
        assert done.code == 4
        assert "9.9" in done.stderr


@pytest.mark.parametrize("command", ON_A_SPLIT)
def test_a_checkpoint_of_a_newer_format(clf: Clf, run: RunDir, command: str) -> None:
    content = torch.load(run.best, weights_only=True)
    content["clf"]["format_version"] = 99
    torch.save(content, run.best)
    done = clf(command, run.root)
    assert done.code == 4
    assert "format 99" in done.stderr


@pytest.mark.parametrize("command", ON_A_SPLIT)
def test_a_checkpoint_without_labels(clf: Clf, run: RunDir, command: str) -> None:
    path = run.root / "plain.pth"
    torch.save(torch.load(run.best, weights_only=True)["state_dict"], path)
    done = clf(command, path)
    assert done.code == 4
    assert "plain.pth" in done.stderr


@pytest.mark.parametrize("command", ON_A_SPLIT)
def test_an_onnx_file_without_labels(clf: Clf, run: RunDir, tiny_dataset: Path, tmp_path: Path, command: str) -> None:
    model = onnx.load(run.onnx)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "bare.onnx")
    done = clf(command, tmp_path / "bare.onnx", "--data", tiny_dataset)
    assert done.code == 4
    assert "was not exported by clf" in done.stderr


@pytest.mark.parametrize("command", ON_A_SPLIT)
@pytest.mark.parametrize("content", [b"", b"no model", np.arange(100).tobytes()])
def test_a_file_that_is_no_model(clf: Clf, tmp_path: Path, tiny_dataset: Path, command: str, content: bytes) -> None:
    for name in ("model.onnx", "model.ckpt"):
        (tmp_path / name).write_bytes(content)
        done = clf(command, tmp_path / name, "--data", tiny_dataset)
        assert done.code == 4
        assert name in done.stderr


@pytest.mark.parametrize("command", [*ON_A_SPLIT, "predict", "report"])
def test_no_model_is_guessed(clf: Clf, run: RunDir, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(run.root.parents[1])
    done = clf(command)
    assert done.code == 2
    assert "runs/tiny" in done.stderr


@pytest.mark.parametrize("command", ON_A_SPLIT)
@pytest.mark.parametrize("model", ["best.ckpt", "model.onnx"])
def test_a_file_outside_its_run_needs_data(clf: Clf, run: RunDir, tmp_path: Path, command: str, model: str) -> None:
    copy = shutil.copy(run.best if model == "best.ckpt" else run.onnx, tmp_path / model)
    done = clf(command, copy)
    assert done.code == 2
    assert "--data" in done.stderr
