"""Runs in processes of their own, killed with SIGKILL wherever it hurts, and continued: equal to the one left alone."""

import csv
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clf_cli.__main__ import main
from clf_cli.values.run_dir import RunDir
from tests.end_states import differences, end_state
from tests.running import Clf, draw_discs, train_arguments

MORE = (
    *("--epochs", "3", "--augment", "ocr", "--mixup", "0.2", "--drop-rate", "0.1", "--balance", "sampler"),
    *("--accumulate", "2", "--checkpoint-every-steps", "1", "--quiet"),
    *("--no-export", "--no-samples", "--no-history", "--no-confusion", "--no-report", "--no-sampler-stats"),
    *("--no-model-info", "--no-dataset-stats"),
)


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """39 train images: five batches, three optimiser steps."""
    return draw_discs(tmp_path_factory.mktemp("discs"), {"train": 13, "val": 3})


@pytest.fixture(scope="module")
def alone(discs: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    out = tmp_path_factory.mktemp("alone")
    assert main(train_arguments(discs, out, "run", *MORE)) == 0
    return RunDir(out / "run")


def killed_once(file: Path, *arguments: object) -> None:
    """Runs `clf` until `file` is there, when it is killed."""
    command = [sys.executable, "-m", "clf_cli.training.verify_child", str(os.getpid()), str(file), *map(str, arguments)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert file.exists()


def epochs_of(path: Path) -> list[int]:
    with path.open() as file:
        return [int(row["epoch"]) for row in csv.DictReader(file)]


def test_a_run_that_is_killed_in_mid_epoch_goes_on_from_its_newest_step(
    clf: Clf, alone: RunDir, discs: Path, tmp_path: Path
) -> None:
    """By its folder alone, with a data worker: step 5 is newer than last.ckpt, which is of step 3."""
    run = RunDir(tmp_path / "run")
    killed_once(run.step_checkpoint(5), *train_arguments(discs, tmp_path, "run", *MORE, "--workers", "1"))
    assert not run.step_checkpoint(6).exists()
    resumed = clf("train", "--resume", run.root)
    assert resumed.code == 0, resumed.stderr
    assert not list(differences(end_state(alone), end_state(run)))
    assert epochs_of(run.metrics) == epochs_of(run.timing) == [1, 2, 3]


@pytest.mark.long
@pytest.mark.parametrize("first", [2, 3])
def test_a_run_that_is_killed_again_and_again_ends_as_if_nothing_had_happened(
    clf: Clf, alone: RunDir, discs: Path, tmp_path: Path, first: int
) -> None:
    """Each start does two steps: within epochs, over their ends and, from 3, just after one."""
    run = RunDir(tmp_path / "run")
    killed_once(run.step_checkpoint(first), *train_arguments(discs, tmp_path, "run", *MORE))
    for step in range(first + 2, 9, 2):
        killed_once(run.step_checkpoint(step), "train", "--resume", run.root)
    resumed = clf("train", "--resume", run.root)
    assert resumed.code == 0, resumed.stderr
    assert not list(differences(end_state(alone), end_state(run)))
    assert epochs_of(run.metrics) == epochs_of(run.timing) == [1, 2, 3]


@pytest.mark.long
def test_an_extension_that_is_killed_goes_on_as_an_extension(clf: Clf, alone: RunDir, tmp_path: Path) -> None:
    runs = [RunDir(tmp_path / name) for name in ("one", "other")]
    for run in runs:
        shutil.copytree(alone.root, run.root)
    assert clf("train", "--resume", runs[0].root, "--epochs", "5").code == 0
    killed_once(runs[1].step_checkpoint(11), "train", "--resume", runs[1].root, "--epochs", "5")
    assert clf("train", "--resume", runs[1].root).code == 0
    assert not list(differences(end_state(runs[0]), end_state(runs[1])))
