"""More epochs: what is done stays, the rest is planned anew, and it can be done again, killed and continued."""

import csv
import json
import math
import shutil
from pathlib import Path

import pytest

from clf_cli.__main__ import main
from clf_cli.settings.sections import OptimSection
from clf_cli.training.schedule import lr_factor, plan_steps, schedule_of
from clf_cli.values.run_dir import RunDir
from tests.end_states import differences, end_state
from tests.running import Clf, draw_discs, train_arguments

QUIET = (
    *("--no-export", "--no-samples", "--no-history", "--no-confusion", "--no-report", "--no-sampler-stats"),
    *("--no-model-info", "--no-dataset-stats", "--quiet"),
)
PER_EPOCH = 3  # steps of 24 train images


def rates(run: RunDir) -> list[float]:
    with run.metrics.open() as file:
        return [float(row["lr"]) for row in csv.DictReader(file)]


def rate(epochs: int, epoch: int) -> float:
    """Of the last step of an epoch of a run planned with `epochs`."""
    return 1e-3 * lr_factor(epoch * PER_EPOCH - 1, plan_steps(OptimSection(epochs=epochs), PER_EPOCH))


def running(run: RunDir) -> None:
    run.run_json.write_text(run.run_json.read_text().replace('"finished"', '"running"'))


@pytest.fixture(scope="module")
def short_run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    out = tmp_path_factory.mktemp("short")
    data = draw_discs(out / "data", {"train": 8, "val": 3})
    arguments = train_arguments(data, out, "run", *QUIET, "--epochs", "2", "--checkpoint-every-steps", "1")
    assert main(arguments) == 0
    return RunDir(out / "run")


@pytest.fixture
def run(short_run: RunDir, tmp_path: Path) -> RunDir:
    shutil.copytree(short_run.root, tmp_path / "run")
    return RunDir(tmp_path / "run")


def test_steps_done_keep_their_rate_and_the_others_have_that_of_the_longer_run() -> None:
    schedule = schedule_of(OptimSection(epochs=6), 10, {0: 2, 15: 4, 35: 6})
    plans = [plan_steps(OptimSection(epochs=epochs), 10) for epochs in (2, 4, 6)]
    for step in range(60):
        expected = plans[0] if step < 15 else plans[1] if step < 35 else plans[2]
        assert schedule.factor(step) == lr_factor(step, expected)
    assert schedule.total == 60
    assert schedule.factor(60) == pytest.approx(0, abs=1e-12)


def test_an_extended_run_ends_at_zero_and_never_goes_above_the_longer_runs_curve(clf: Clf, run: RunDir) -> None:
    done = clf("train", "--resume", run.root, "--epochs", "4")
    assert done.code == 0, done.stderr
    assert rates(run) == pytest.approx([rate(2, 1), rate(2, 2), rate(4, 3), rate(4, 4)], rel=1e-12)
    record = json.loads(run.run_json.read_text())
    assert (record["extended_from"], record["planned"]) == (2, {"0": 2, "6": 4})


def test_it_can_be_extended_twice(clf: Clf, run: RunDir) -> None:
    for epochs in ("3", "5"):
        assert clf("train", "--resume", run.root, "--epochs", epochs).code == 0
    expected = [rate(2, 1), rate(2, 2), rate(3, 3), rate(5, 4), rate(5, 5)]
    assert rates(run) == pytest.approx(expected, rel=1e-12)
    record = json.loads(run.run_json.read_text())
    assert (record["extended_from"], record["planned"]) == (3, {"0": 2, "6": 3, "9": 5})


@pytest.mark.parametrize("step", [6, 8, 9])
def test_an_extension_that_was_killed_goes_on_exactly(clf: Clf, run: RunDir, tmp_path: Path, step: int) -> None:
    """From the checkpoint that it extends, from mid-epoch and from an end of its own; --epochs is not said again."""
    assert clf("train", "--resume", run.root, "--epochs", "4").code == 0
    shutil.copytree(run.root, tmp_path / "killed")
    killed = RunDir(tmp_path / "killed")
    running(killed)
    assert clf("train", "--resume", killed.step_checkpoint(step)).code == 0
    assert not list(differences(end_state(run), end_state(killed)))


def test_a_run_is_extended_before_its_end(clf: Clf, run: RunDir) -> None:
    running(run)
    assert clf("train", "--resume", run.step_checkpoint(2), "--epochs", "3").code == 0
    assert rates(run) == pytest.approx([rate(3, 1), rate(3, 2), rate(3, 3)], rel=1e-12)
    assert json.loads(run.run_json.read_text())["planned"] == {"0": 2, "2": 3}


def test_a_run_that_stopped_early_and_gets_more_epochs_counts_its_patience_anew(clf: Clf, run: RunDir) -> None:
    running(run)
    stubborn = ("--patience", "1", "--min-delta", "1")
    assert clf("train", "--resume", run.root, "--epochs", "5", *stubborn).code == 0
    trained = len(rates(run))
    assert trained < 5, "else it did not stop early"
    assert clf("train", "--resume", run.root, "--epochs", "7").code == 0
    assert trained < len(rates(run)) <= 7


def test_fewer_epochs_are_drift_and_never_fewer_than_are_done(clf: Clf, run: RunDir) -> None:
    running(run)
    checkpoint = run.step_checkpoint(2)
    refused = clf("train", "--resume", checkpoint, "--epochs", "1")
    assert refused.code == 2
    assert "optim.epochs: 2 → 1" in refused.stderr
    assert "--allow-drift optim.epochs" in refused.stderr
    assert clf("train", "--resume", run.root, "--epochs", "1", "--allow-drift", "optim.epochs").code == 2
    assert clf("train", "--resume", checkpoint, "--epochs", "1", "--allow-drift", "optim.epochs").code == 0
    assert len(rates(run)) == 1
    assert math.isclose(rates(run)[0], rate(1, 1))


def test_an_export_of_earlier_weights_is_named(clf: Clf, run: RunDir) -> None:
    run.onnx.parent.mkdir()
    run.onnx.write_bytes(b"of an earlier end")
    done = clf("train", "--resume", run.root, "--epochs", "6")
    assert done.code == 0
    improved = json.loads(run.run_json.read_text())["best_epoch"] > 2
    assert ("export/model.onnx is of earlier weights" in done.stderr) == improved
    assert improved, "else this shows nothing"
