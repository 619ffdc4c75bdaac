"""What goes wrong in a run ends it with its code, says what to do, and loses nothing that was saved."""

import json
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from clf_cli.errors import RunError
from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.training.memory import told_memory
from clf_cli.values.run_dir import RunDir
from tests.running import Clf, draw_discs, train_arguments

BARE = ("--no-export", "--no-samples", "--no-history", "--no-confusion")


@pytest.fixture
def copied_run(tiny_run: RunDir, tmp_path: Path) -> RunDir:
    """A finished run that a test may damage."""
    shutil.copytree(tiny_run.root, tmp_path / "run")
    return RunDir(tmp_path / "run")


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """What a full disk does to a write, for files above `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def status(run: RunDir) -> str:
    return str(json.loads(run.run_json.read_text())["status"])


def test_a_loss_that_is_not_finite_stops_the_run_in_its_epoch(clf: Clf, tiny_dataset: Path, tmp_path: Path) -> None:
    wild = ("--lr", "1e30", "--optimizer", "sgd", "--clip-grad", "0", "--warmup-epochs", "0")
    done = clf(*train_arguments(tiny_dataset, tmp_path, "wild", *wild, *BARE))
    assert done.code == 6
    assert "step 2" in done.stderr
    assert "learning rate 1e+30" in done.stderr or "learning rate 9" in done.stderr
    assert "train/" in done.stderr
    assert ".png" in done.stderr
    assert "--lr" in done.stderr
    run = RunDir(tmp_path / "wild")
    assert status(run) == "failed"
    assert not run.last.exists()


def test_a_loss_that_is_not_finite_leaves_the_checkpoints_of_earlier_epochs(clf: Clf, copied_run: RunDir) -> None:
    checkpoint = torch.load(copied_run.last, weights_only=True)
    checkpoint["current_model_state"]["network.fc.weight"][0, 0] = float("nan")
    torch.save(checkpoint, copied_run.last)
    before = {path: path.read_bytes() for path in copied_run.checkpoints.rglob("*.ckpt")}
    done = clf("train", "--resume", copied_run.root, "--epochs", "4")
    assert done.code == 4, done.stderr
    assert "conv1.0.weight" not in done.stderr
    assert "fc.weight" in done.stderr
    assert {path: path.read_bytes() for path in copied_run.checkpoints.rglob("*.ckpt")} == before


def test_a_full_disk_leaves_the_old_checkpoint_whole(clf: Clf, copied_run: RunDir, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in copied_run.checkpoints.rglob("*.ckpt")}
    size = 500_000
    assert all(len(content) > size for content in before.values())
    with largest_file(size):
        with pytest.raises(OSError, match="File too large"):
            (tmp_path / "probe").write_bytes(bytes(size + 1))
        done = clf("train", "--resume", copied_run.root, "--epochs", "3")
    assert done.code == 6, done.stderr
    assert ".ckpt" in done.stderr
    assert {path: path.read_bytes() for path in copied_run.checkpoints.rglob("*.ckpt")} == before
    assert not list(copied_run.root.rglob("*tmp"))
    assert read_checkpoint(copied_run.last).epoch == 2


def test_after_the_disk_was_full_the_run_goes_on(clf: Clf, copied_run: RunDir) -> None:
    with largest_file(500_000):
        assert clf("train", "--resume", copied_run.root, "--epochs", "3").code == 6
    done = clf("train", "--resume", copied_run.root, "--epochs", "3")
    assert done.code == 0, done.stderr
    assert read_checkpoint(copied_run.last).epoch == 3


def test_output_that_cannot_be_written_is_said_before_the_first_step(
    clf: Clf, tiny_dataset: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the folder's place")
    done = clf(*train_arguments(tiny_dataset, tmp_path / "file", "run"))
    assert done.code == 6
    assert str(tmp_path / "file") in done.stderr
    assert "--out" in done.stderr
    assert "epoch" not in done.stderr


def test_out_of_memory_names_the_batch_size_and_the_flag() -> None:
    with pytest.raises(RunError, match="batch size 32") as told:
        told_memory(lambda: torch.empty(2**50), "cpu", 32, lambda size: f"The largest that fits is {size // 2}.")
    assert "16" in told.value.message
    assert "--batch-size" in str(told.value.hint)


def test_other_errors_of_torch_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="shape"):
        told_memory(lambda: torch.zeros(2, 3) @ torch.zeros(2, 3), "cpu", 32, str)


@pytest.mark.parametrize(
    ("flags", "code", "word"),
    [
        (("--val-fraction", "0.2", "--no-val", "--monitor", "val/nothing"), 2, "monitor"),
        (("--arch", "resnt18"), 2, "resnet18"),
        (("--name", "a/b"), 2, "--out"),
        (("--weights", "nowhere.pth"), 4, "nowhere.pth"),
        (("--init-from", "nowhere.ckpt"), 4, "nowhere.ckpt"),
        (("--device", "cuda:7"), 2, "cuda:7"),
        (("--precision", "fp16"), 2, "fp16"),
    ],
)
def test_wrong_settings_end_before_a_run_exists(
    clf: Clf, tiny_dataset: Path, tmp_path: Path, flags: tuple[str, ...], code: int, word: str
) -> None:
    done = clf(*train_arguments(tiny_dataset, tmp_path / "runs", "run", *flags))
    assert done.code == code, done.stderr
    assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs" / "run").exists()


def test_data_without_val_are_refused_unless_asked_for(clf: Clf, tmp_path: Path) -> None:
    data = draw_discs(tmp_path / "data", {"train": 6})
    refused = clf(*train_arguments(data, tmp_path / "runs", "run", "--val-fraction", "0"))
    assert refused.code == 3
    assert "--no-val" in refused.stderr
    assert not (tmp_path / "runs" / "run").exists()
