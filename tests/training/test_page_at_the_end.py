"""The page that a run writes when it ends, and a run whose page cannot be written."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from clf_cli.values.run_dir import RunDir
from tests.report_pages import mistakes_of
from tests.running import Clf, train_arguments

BARE = ("--epochs", "1", "--no-export", "--no-samples", "--no-history", "--no-confusion")


def test_a_page_that_cannot_be_written_leaves_the_run_finished_and_exits_6(
    clf: Clf, tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunDir, "report_page", property(lambda run: run.settings / "report.html"))  # below a file
    done = clf(*train_arguments(tiny_dataset, tmp_path, "run", *BARE))
    assert done.code == 6
    assert done.stdout == f"{(tmp_path / 'run').as_posix()}\n"  # the result of the training is delivered
    assert "No page of the run was written: Cannot write" in done.stderr
    assert f"try again with: clf report {(tmp_path / 'run').as_posix()}" in done.stderr
    run = RunDir(tmp_path / "run")
    assert json.loads(run.run_json.read_text())["status"] == "finished"
    result = json.loads(run.report("train").read_text())["result"]
    assert result["page"] is None
    assert result["page_error"].startswith("Cannot write")


def test_after_a_resumption_the_page_shows_the_best_epoch_of_before(clf: Clf, tiny_run: RunDir, tmp_path: Path) -> None:
    """Its predictions are no longer in memory: they are made again, once, with the best checkpoint."""
    shutil.copytree(tiny_run.root, tmp_path / "run")
    run = RunDir(tmp_path / "run")
    checkpoint = torch.load(run.last, weights_only=True)
    state = next(state for state in checkpoint["callbacks"].values() if "best" in state)
    state["best"]["val/acc_top1"] = 2.0  # no epoch to come is better
    torch.save(checkpoint, run.last)
    best = torch.load(run.best, weights_only=True)
    best["clf"]["score"]["value"] = 2.0
    torch.save(best, run.best)
    done = clf("train", "--resume", run.root, "--epochs", "3", "--no-export")
    assert done.code == 0, done.stderr
    assert f"{run.root.as_posix()}/report.html" in done.stderr
    written = run.report_page.read_bytes()
    assert written.count(b"data:image/jpeg") == mistakes_of(tiny_run)
    assert b">3</dd>" in written  # epochs
    again = clf("report", run.root)
    assert again.code == 0, again.stderr
    assert run.report_page.read_bytes() == written
