"""Whatever happens while a run saves: a whole checkpoint, from which it goes on."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clf_cli.values.run_dir import RunDir
from tests.running import Clf

ELSEWHERE = Path("/dev/shm")  # another file system than that of the runs, on Linux


@pytest.fixture
def copied_run(tiny_run: RunDir, tmp_path: Path) -> RunDir:
    """A finished run that a test may damage."""
    return RunDir(Path(shutil.copytree(tiny_run.root, tmp_path / "run")))


def killed(run: RunDir, kills: int, temporary: Path | None = None) -> list[dict[str, Any]]:
    """What the kills left; tests/faults/killed_saving.py has the keys."""
    command = [sys.executable, "-m", "tests.faults.killed_saving", str(run.root), "--kills", str(kills)]
    environment = {**os.environ, **({} if temporary is None else {"TMPDIR": str(temporary)})}
    done = subprocess.run(
        [*command, "--megabytes", "4"], env=environment, capture_output=True, text=True, timeout=1200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def whole_after_all(clf: Clf, run: RunDir, kills: int, temporary: Path | None = None) -> None:
    lines = killed(run, kills, temporary)
    assert len(lines) == kills
    assert {line["signal"] for line in lines} == {9}
    assert any(line["writing"] for line in lines), "no kill fell into the writing of a file"
    for line in lines:
        assert max(number for number in line["whole"].values() if number is not None) >= line["told"]
    resumed = clf("train", "--resume", run.root, "--epochs", "3")
    assert resumed.code == 0, resumed.stderr


def test_killed_while_it_saves_there_is_always_a_whole_checkpoint(clf: Clf, copied_run: RunDir) -> None:
    whole_after_all(clf, copied_run, kills=4)


@pytest.mark.long
@pytest.mark.parametrize("temporary", [None, ELSEWHERE], ids=["one file system", "TMPDIR on another"])
def test_killed_50_times_while_it_saves(clf: Clf, copied_run: RunDir, temporary: Path | None) -> None:
    if temporary is not None:
        if not temporary.is_dir():
            pytest.skip("this system has no /dev/shm")
        assert temporary.stat().st_dev != copied_run.root.stat().st_dev
    whole_after_all(clf, copied_run, 50, temporary)


# A disk that is full or read-only

SCENARIOS: dict[str, Any] = {}


@pytest.fixture
def disk(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What tests/faults/full_disk.py saw, once for this module: importing torch takes seconds."""
    if not SCENARIOS:
        if shutil.which("unshare") is None or subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
            pytest.skip("no private mounts here")
        command = ["unshare", "--mount", sys.executable, "-m", "tests.faults.full_disk", str(tiny_dataset)]
        done = subprocess.run(
            [*command, str(tmp_path_factory.mktemp("disk"))], capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        SCENARIOS.update(json.loads(done.stdout))
    assert not any("Traceback" in case["said"] for case in SCENARIOS.values())
    return SCENARIOS


def test_a_disk_that_is_too_small_is_told_before_a_run_exists(disk: dict[str, Any]) -> None:
    case = disk["too small"]
    assert case["code"] == 6
    assert re.search(r"needs at least [\d.]+ MB .* 5\.2 MB are free", case["said"])
    assert "--out" in case["said"]
    assert not case["there"]


def test_a_disk_that_fills_up_ends_the_run_with_its_checkpoint_whole(disk: dict[str, Any]) -> None:
    case = disk["fills up"]
    assert case["bites"][0] == "ENOSPC"
    assert case["code"] == 6
    assert "No space left on device" in case["said"]
    assert "last.ckpt of epoch 1 is whole" in case["said"]
    assert "clf train --resume" in case["said"]
    assert case["epochs"]["last.ckpt"] == 1
    assert disk["has room again"]["code"] == 0
    assert disk["has room again"]["epochs"] == {"last.ckpt": 3, "prev.ckpt": 2}


def test_a_disk_that_turns_read_only_ends_the_run_with_its_checkpoint_whole(disk: dict[str, Any]) -> None:
    case = disk["turns read-only"]
    assert case["bites"] == ["EROFS"]
    assert case["code"] == 6
    assert "Read-only file system" in case["said"]
    assert "last.ckpt of epoch 4 is whole" in case["said"]
    refused = disk["is read-only"]
    assert refused["code"] == 6
    assert "Read-only file system" in refused["said"]
    assert "epoch 5/6" not in refused["said"]
    assert disk["is writable again"]["epochs"] == {"last.ckpt": 6, "prev.ckpt": 5}


def test_a_file_in_the_place_of_the_checkpoints_is_told_before_the_first_step(clf: Clf, copied_run: RunDir) -> None:
    kept = copied_run.root / "kept.ckpt"
    copied_run.last.rename(kept)
    shutil.rmtree(copied_run.checkpoints)
    copied_run.checkpoints.write_text("in the folder's place")
    done = clf("train", "--resume", kept, "--epochs", "3")
    assert done.code == 6, done.stderr
    assert f"{copied_run.checkpoints}: it is a file" in done.stderr
    assert "epoch 3/3" not in done.stderr
    assert copied_run.checkpoints.read_text() == "in the folder's place"


# Power failures

WRITES = "import pathlib, sys; from clf_cli.files import write_text; write_text(pathlib.Path(sys.argv[1]), 'new')"


def traced(file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """strace of a process that writes `file`; skips where that is not allowed."""
    if shutil.which("strace") is None:
        pytest.skip("no strace here")
    if subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no tracing here")
    command = ["strace", "-f", *options, sys.executable, "-c", WRITES, str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_file_is_on_the_disk_before_it_has_its_name_and_the_name_after(tmp_path: Path) -> None:
    file = tmp_path / "file"
    done = traced(file, "-y", "-e", "trace=fsync,rename,renameat,renameat2")
    assert done.returncode == 0, done.stderr
    calls = [line for line in done.stderr.splitlines() if str(tmp_path) in line]
    kinds = [next(kind for kind in ("fsync", "rename") if kind in call) for call in calls]
    assert kinds == ["fsync", "rename", "fsync"], calls
    assert ".clf-tmp" in calls[0]
    assert f"<{tmp_path}>" in calls[2]


def test_a_file_that_the_disk_did_not_take_does_not_take_the_place_of_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    done = traced(file, "-e", "trace=fsync", "-e", "inject=fsync:error=EIO")
    assert "Input/output error" in done.stderr
    assert "UnwritableError" in done.stderr
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_cannot_be_synced_is_no_error(tmp_path: Path) -> None:
    """CIFS and some FUSE file systems; the first fsync is the file's."""
    done = traced(tmp_path / "file", "-e", "trace=fsync", "-e", "inject=fsync:error=EINVAL:when=2+")
    assert "INJECTED" in done.stderr
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "file").read_text() == "new"
