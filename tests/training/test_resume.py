"""Runs that are killed or stopped and resumed equal the run that was left alone, bit for bit."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from clf_cli.__main__ import main
from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.settings.load import read_settings
from clf_cli.training.resume import newest_first
from clf_cli.values.run_dir import RunDir
from clf_cli.values.run_record import read_record
from tests.end_states import differences, end_state
from tests.running import Clf, report_of, train_arguments

EPOCHS = 4
MORE = (
    *("--epochs", str(EPOCHS), "--batch-size", "8", "--no-export", "--no-samples", "--no-history", "--no-confusion"),
    *("--augment", "ocr", "--mixup", "0.2", "--drop-rate", "0.1", "--balance", "sampler"),
)


@pytest.fixture(scope="module")
def whole_run(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """The run that nothing happened to; it keeps a checkpoint every three steps of its eight-step epochs."""
    out = tmp_path_factory.mktemp("whole")
    assert main(train_arguments(tiny_dataset, out, "run", *MORE, "--checkpoint-every-steps", "3")) == 0
    return RunDir(out / "run")


def test_weights_in_mid_epoch_have_no_score(whole_run: RunDir) -> None:
    """The last row is of other weights; an export would call it a lie."""
    assert read_checkpoint(whole_run.last).score is not None
    for path in whole_run.checkpoints.glob("step-*.ckpt"):
        at_an_end = int(path.stem.removeprefix("step-")) % 8 == 0
        assert (read_checkpoint(path).score is not None) == at_an_end


SIGNALS_ITSELF = """
import os, sys
file, number = sys.argv.pop(1), int(sys.argv.pop(1))
sent = []
def hear(event, _):
    if event == "open" and not sent and os.path.exists(file):
        sent.append(number)
        os.kill(os.getpid(), number)
sys.addaudithook(hear)
from clf_cli.__main__ import main
sys.exit(main())
"""


def run_until(file: str, data: Path, out: Path, number: signal.Signals, *more: str) -> tuple[RunDir, int, str]:
    """A run in a process of its own that gets a signal with the first file it opens once `file` of checkpoints/ is
    there. It sends the signal itself: on a busy machine a parent may look only when the run is over."""
    run = RunDir(out / "run")
    arguments = [run.checkpoints / file, int(number), *train_arguments(data, out, "run", *MORE, *more)]
    command = [sys.executable, "-c", SIGNALS_ITSELF, *map(str, arguments)]
    done = subprocess.run(
        command, cwd=out, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240, check=False
    )
    return run, done.returncode, done.stderr


def test_killed_after_an_epoch_and_resumed(clf: Clf, whole_run: RunDir, tiny_dataset: Path, tmp_path: Path) -> None:
    run, code, _ = run_until("prev.ckpt", tiny_dataset, tmp_path, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert run.metrics.read_text() != whole_run.metrics.read_text()
    resumed = clf("train", "--resume", run.root)
    assert resumed.code == 0, resumed.stderr
    assert not list(differences(end_state(whole_run), end_state(run)))


def test_killed_in_mid_epoch_and_resumed_from_there(
    clf: Clf, whole_run: RunDir, tiny_dataset: Path, tmp_path: Path
) -> None:
    twelfth = whole_run.step_checkpoint(12).name  # the fourth step of the second epoch's eight
    run, code, _ = run_until(twelfth, tiny_dataset, tmp_path, signal.SIGKILL, "--checkpoint-every-steps", "3")
    assert code == -signal.SIGKILL
    assert not run.step_checkpoint(15).exists()
    resumed = clf("train", "--resume", run.step_checkpoint(12))
    assert resumed.code == 0, resumed.stderr
    assert "epoch 2/4" in resumed.stderr
    assert not list(differences(end_state(whole_run), end_state(run)))


@pytest.mark.parametrize("step", [3, 12])
def test_resumed_in_mid_epoch(clf: Clf, whole_run: RunDir, tmp_path: Path, step: int) -> None:
    copy = RunDir(tmp_path / "run")
    shutil.copytree(whole_run.root, copy.root)
    before = end_state(whole_run)
    for path in (copy.last, copy.previous, copy.best, copy.metrics):
        path.unlink()
    record = copy.run_json.read_text()
    copy.run_json.write_text(record.replace('"finished"', '"running"'))
    resumed = clf("train", "--resume", copy.step_checkpoint(step))
    assert resumed.code == 0, resumed.stderr
    assert not list(differences(before, end_state(copy)))
    assert not list(differences(*(torch.load(run.best, weights_only=True) for run in (whole_run, copy))))


def test_set_back_and_killed_it_goes_on_from_there_and_not_from_the_course_that_it_left(
    clf: Clf, whole_run: RunDir, tmp_path: Path
) -> None:
    copy = RunDir(tmp_path / "run")
    shutil.copytree(whole_run.root, copy.root)
    copy.run_json.write_text(copy.run_json.read_text().replace('"finished"', '"running"'))
    assert clf("train", "--resume", copy.step_checkpoint(27)).code == 0
    shutil.copyfile(whole_run.last, copy.last)  # as killed before the first end of an epoch
    assert read_record(copy).resumed == read_checkpoint(copy.step_checkpoint(30)).resumed == 1
    assert newest_first(copy, 1)[:2] == [copy.step_checkpoint(30), copy.last]
    again = clf("train", "--resume", copy.root, "--epochs", "5")
    assert "from step-00000030.ckpt" in again.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_by_a_signal_it_saves_first_and_goes_on_exactly(
    clf: Clf, whole_run: RunDir, tiny_dataset: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    run, returned, said = run_until("last.ckpt", tiny_dataset, tmp_path, number)
    assert returned == code, said
    assert f"clf train --resume {run.root}" in said
    assert '"interrupted"' in run.run_json.read_text()
    resumed = clf("train", "--resume", run.root)
    assert resumed.code == 0, resumed.stderr
    assert not list(differences(end_state(whole_run), end_state(run)))


def test_a_signal_at_a_step_that_is_kept_keeps_it(
    clf: Clf, whole_run: RunDir, tiny_dataset: Path, tmp_path: Path
) -> None:
    """A run that was stopped there goes on after that step, and would never write its checkpoint."""
    ninth = whole_run.step_checkpoint(9).name  # of the steps that follow, the signal comes in the first
    run, code, said = run_until(ninth, tiny_dataset, tmp_path, signal.SIGTERM, "--checkpoint-every-steps", "1")
    assert code == 143, said
    kept = sorted(path.name for path in run.checkpoints.glob("step-*.ckpt"))
    step = torch.load(run.last, weights_only=True)["global_step"]
    assert kept == [run.step_checkpoint(number).name for number in range(1, step + 1)]


def test_workers_change_nothing(clf: Clf, whole_run: RunDir, tiny_dataset: Path, tmp_path: Path) -> None:
    done = clf(*train_arguments(tiny_dataset, tmp_path, "run", *MORE, "--workers", "1", "--epochs", "4"))
    assert done.code == 0, done.stderr
    assert RunDir(tmp_path / "run").metrics.read_text() == whole_run.metrics.read_text()


def test_a_finished_run_has_nothing_to_do(clf: Clf, whole_run: RunDir) -> None:
    before = whole_run.last.read_bytes()
    done = clf("train", "--resume", whole_run.root)
    assert done.code == 0
    assert "--epochs" in done.stderr
    assert whole_run.last.read_bytes() == before


def test_a_finished_run_that_was_copied_tells_its_own_place(clf: Clf, whole_run: RunDir, tmp_path: Path) -> None:
    shutil.copytree(whole_run.root, copy := tmp_path / "copy")
    done = clf("train", "--resume", copy)
    assert done.stdout == f"{copy}\n"
    assert str(whole_run.root) not in done.stderr
    assert report_of(clf("train", "--resume", copy, "--json"))["result"]["run"] == str(copy)


def test_more_epochs_extend_a_run_and_it_is_recorded(clf: Clf, whole_run: RunDir, tmp_path: Path) -> None:
    copy = RunDir(tmp_path / "run")
    shutil.copytree(whole_run.root, copy.root)
    done = clf("train", "--resume", copy.root, "--epochs", "5")
    assert done.code == 0, done.stderr
    assert len(copy.metrics.read_text().splitlines()) == 1 + 5
    assert '"extended_from": 4' in copy.run_json.read_text()


def test_a_flag_that_would_change_the_run_is_refused(clf: Clf, whole_run: RunDir) -> None:
    done = clf("train", "--resume", whole_run.root, "--lr", "0.5")
    assert done.code == 2
    assert "optim.lr" in done.stderr
    assert "--init-from" in done.stderr


def test_a_best_checkpoint_cannot_be_resumed_but_starts_a_run(
    clf: Clf, whole_run: RunDir, tiny_dataset: Path, tmp_path: Path
) -> None:
    refused = clf("train", "--resume", whole_run.best)
    assert refused.code == 4
    assert "--init-from" in refused.stderr
    started = clf(
        *train_arguments(tiny_dataset, tmp_path, "next", "--epochs", "1", "--no-export", "--lr", "1e-6"),
        *("--init-from", whole_run.best),
    )
    assert started.code == 0, started.stderr
    assert "Started from" in started.stderr
    record = read_record(RunDir(tmp_path / "next"))
    assert (record.init_from, record.init_run_id) == (whole_run.best.as_posix(), read_record(whole_run).run_id)


def test_a_broken_last_falls_back_to_the_one_before(clf: Clf, whole_run: RunDir, tmp_path: Path) -> None:
    copy = RunDir(tmp_path / "run")
    shutil.copytree(whole_run.root, copy.root)
    copy.run_json.write_text(copy.run_json.read_text().replace('"finished"', '"running"'))
    copy.last.write_bytes(copy.last.read_bytes()[:5000])
    assert newest_first(copy, 0)[0] == copy.step_checkpoint(30), "nearer to the end than prev.ckpt"
    for path in copy.checkpoints.glob("step-*.ckpt"):
        path.unlink()
    resumed = clf("train", "--resume", copy.root)
    assert resumed.code == 0, resumed.stderr
    assert "prev.ckpt" in resumed.stderr
    assert not list(differences(end_state(whole_run), end_state(copy)))


def test_changed_data_are_not_trained_on(clf: Clf, tiny_dataset: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(tiny_dataset, data)
    run, _, _ = run_until("last.ckpt", data, tmp_path, signal.SIGKILL)
    shutil.copyfile(data / "train" / "red" / "01.png", data / "train" / "red" / "00.png")
    done = clf("train", "--resume", run.root)
    assert done.code == 3
    assert "--init-from" in done.stderr


def test_what_is_not_a_run(clf: Clf, tmp_path: Path) -> None:
    done = clf("train", "--resume", tmp_path)
    assert done.code == 4
    assert str(tmp_path) in done.stderr


def test_a_checkpoint_that_is_not_there_is_told_and_no_other_one_is_taken(clf: Clf, whole_run: RunDir) -> None:
    done = clf("train", "--resume", whole_run.step_checkpoint(99))
    assert done.code == 4
    assert f"There is no checkpoint {whole_run.step_checkpoint(99)}" in done.stderr


def test_a_run_where_a_checkpoint_is_due_is_told_its_best(clf: Clf, whole_run: RunDir, tmp_path: Path) -> None:
    data = read_settings(whole_run.settings).data.root
    assert data is not None
    done = clf(*train_arguments(data, tmp_path, "next", "--init-from", str(whole_run.root)))
    assert done.code == 4
    assert f"the best checkpoint of this run is {whole_run.best}." in done.stderr
    assert not (tmp_path / "next").exists()
