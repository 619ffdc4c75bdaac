"""What an export that ends the process, or that is interrupted, leaves of the run."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from clf_cli.files import TEMP_SUFFIX
from clf_cli.training import finish
from clf_cli.values.run_dir import RunDir
from tests.running import Clf, start_clf, train_arguments

BARE = ("--epochs", "1", "--no-samples", "--no-history", "--no-confusion", "--no-report")


def result(run: RunDir) -> dict[str, object]:
    found: dict[str, object] = json.loads(run.report("train").read_text())["result"]
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_process_that_is_killed_in_the_export_leaves_a_finished_run(
    clf: Clf, tiny_dataset: Path, tmp_path: Path
) -> None:
    """As a tool of the export would, by a crash."""
    process = start_clf(train_arguments(tiny_dataset, tmp_path, "run", *BARE), cwd=tmp_path)
    assert process.stderr is not None
    said = next((line for line in process.stderr if "Exporting" in line), "")
    os.kill(process.pid, signal.SIGKILL)
    rest = process.communicate(timeout=60)[1]
    assert said, rest
    assert process.returncode == -signal.SIGKILL
    run = RunDir(tmp_path / "run")
    assert json.loads(run.run_json.read_text())["status"] == "finished"
    assert not run.onnx.exists()
    assert result(run)["onnx"] is None
    assert "ended during the export" in str(result(run)["export_error"])
    evaluated = clf("evaluate", run.root, "--json")
    assert evaluated.code == 0, evaluated.stderr
    val = result(run)["val"]
    assert isinstance(val, dict)
    assert json.loads(evaluated.stdout)["result"]["acc_top1"] == val["val/acc_top1"]
    (run.root / f".model.onnx.x{TEMP_SUFFIX}").touch()  # as a killed writer leaves it
    ended = clf("train", "--resume", run.root)
    assert ended.code == 0, ended.stderr
    assert result(run)["onnx"] == "export/model.onnx"
    assert result(run)["export_error"] is None
    assert not list(run.root.rglob(f".*{TEMP_SUFFIX}"))
    assert len(run.metrics.read_text().splitlines()) == 2
    listed = clf("runs", tmp_path, "--json")
    assert json.loads(listed.stdout)["result"]["runs"][0]["status"] == "finished"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("a bug in an exporter")])
def test_an_export_that_is_interrupted_leaves_a_finished_run(
    error: BaseException, clf: Clf, tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        assert json.loads(run.run_json.read_text())["status"] == "finished", "it is recorded before"
        raise error

    run = RunDir(tmp_path / "run")
    monkeypatch.setattr(finish, "export", interrupted)
    done = clf(*train_arguments(tiny_dataset, tmp_path, "run", *BARE))
    assert done.code == (130 if isinstance(error, KeyboardInterrupt) else 70)
    assert "The training is finished, but the export is not." in done.stderr
    assert f"clf train --resume {run.root}" in done.stderr
    assert json.loads(run.run_json.read_text())["status"] == "finished"
    assert "ended during the export" in str(result(run)["export_error"])
    again = clf("train", "--resume", run.root)
    assert again.code == done.code, again.stderr
    monkeypatch.undo()
    assert clf("train", "--resume", run.root).code == 0
    assert run.onnx.is_file()


def test_an_opset_that_nothing_writes_is_told_before_the_training(clf: Clf, tiny_dataset: Path, tmp_path: Path) -> None:
    done = clf(*train_arguments(tiny_dataset, tmp_path, "run", *BARE, "--export-opset", "99"))
    assert done.code == 2
    assert "Opset 99 cannot be written here" in done.stderr
    assert "go from 17 to 2" in done.stderr
    assert not (tmp_path / "run").exists()
    spared = clf(*train_arguments(tiny_dataset, tmp_path, "run", "--no-export", "--export-opset", "99", "--dry-run"))
    assert spared.code == 0, spared.stderr
