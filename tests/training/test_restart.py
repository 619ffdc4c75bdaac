"""A run that died before its first checkpoint begins again with --resume, and is the run that it would have been."""

import json
import shutil
from pathlib import Path

import pytest

from clf_cli.training.restart import without_checkpoint
from clf_cli.values.run_dir import RunDir
from tests.end_states import differences, end_state
from tests.running import Clf, draw_discs, train_arguments

MORE = ("--epochs", "1", "--no-export", "--no-report", "--no-samples", "--no-confusion", "--no-history")


def died_at_once(clf: Clf, data: Path, out: Path, *more: str) -> tuple[RunDir, RunDir]:
    """A whole run, and what a kill before its first checkpoint would have left of it."""
    assert clf(*train_arguments(data, out / "whole", "run", *MORE, *more)).code == 0
    whole, dead = RunDir(out / "whole" / "run"), RunDir(out / "dead" / "run")
    dead.root.mkdir(parents=True)
    for file in (whole.settings, whole.splits):
        shutil.copy(file, dead.root)
    record = json.loads(whole.run_json.read_text())
    dead.run_json.write_text(json.dumps(record | {"status": "running", "run_id": "dead"}))
    return whole, dead


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return draw_discs(tmp_path / "data", {"train": 4, "val": 2})


def test_it_begins_again_and_is_the_run_that_it_would_have_been(clf: Clf, small: Path, tmp_path: Path) -> None:
    whole, dead = died_at_once(clf, small, tmp_path)
    assert without_checkpoint(dead.root) == dead
    assert without_checkpoint(whole.root) is None
    again = clf("train", "--resume", dead.root)
    assert again.code == 0, again.stderr
    assert "begins again at its first step" in again.stderr
    assert not list(differences(end_state(whole), end_state(dead)))
    record = json.loads(dead.run_json.read_text())
    assert (record["run_id"], record["status"]) == ("dead", "finished")


def test_it_starts_from_the_same_weights(clf: Clf, tiny_run: RunDir, tiny_dataset: Path, tmp_path: Path) -> None:
    whole, dead = died_at_once(clf, tiny_dataset, tmp_path, "--init-from", str(tiny_run.best))
    assert clf("train", "--resume", dead.root).code == 0
    assert not list(differences(end_state(whole), end_state(dead)))


def test_other_images_are_refused(clf: Clf, small: Path, tmp_path: Path) -> None:
    _, dead = died_at_once(clf, small, tmp_path)
    next(small.rglob("*.png")).unlink()
    refused = clf("train", "--resume", dead.root)
    assert refused.code == 3
    assert "are not those" in refused.stderr
    assert not dead.checkpoints.exists()


def test_the_first_command_can_be_typed_again_after_a_kill_before_the_record(
    clf: Clf, small: Path, tmp_path: Path
) -> None:
    whole, dead = died_at_once(clf, small, tmp_path)
    dead.run_json.unlink()
    dead.lock.touch()
    dead.checkpoints.mkdir()
    (dead.root / "log.txt").touch()
    (dead.root / ".run.json.x.clf-tmp").touch()
    assert clf(*train_arguments(small, dead.root.parent, "run", *MORE)).code == 0
    assert not list(differences(end_state(whole), end_state(dead)))
    assert not dead.lock.exists()


@pytest.mark.parametrize("file", ["settings.toml", "notes.txt", ".lock/x", "checkpoints/last.ckpt"])
def test_a_folder_that_is_somebodys_is_not_taken(clf: Clf, small: Path, tmp_path: Path, file: str) -> None:
    path = tmp_path / "out" / "run" / file
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    refused = clf(*train_arguments(small, tmp_path / "out", "run", *MORE))
    assert refused.code == 2, refused.stderr
    assert path.read_text() == "mine"
