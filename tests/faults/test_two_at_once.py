"""Several processes and one run: each has its own, or one of them is told whose it is."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import pytest

from clf_cli.engine.onnx_publish import inside, publish
from clf_cli.engine.run_files import read_run
from clf_cli.errors import ModelError, RunError, UsageError
from clf_cli.files import keeping, sweep_leftovers, temporary_folder, write_atomic, write_text
from clf_cli.training.start import Start, claim
from clf_cli.values.onnx_files import files_beside
from clf_cli.values.run_dir import RunDir
from clf_cli.values.run_lock import holder, is_training, locked
from tests.running import Clf, mark, start_clf, train_arguments
from tests.starts import tiny_start

BARE = ("--no-export", "--no-samples", "--no-history", "--no-confusion", "--pictures", "last")
HOLDS = """
import pathlib, sys, time
from clf_cli.values.run_dir import RunDir
from clf_cli.values.run_lock import locked
with locked(RunDir(pathlib.Path(sys.argv[1])), lambda line: print("warned", line)):
    print("has it", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def copied_run(tiny_run: RunDir, tmp_path: Path) -> RunDir:
    """A finished run that a test may damage."""
    return RunDir(Path(shutil.copytree(tiny_run.root, tmp_path / "run")))


@contextmanager
def held(run: RunDir, *command: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has the run's lock."""
    process = subprocess.Popen(
        [*command, sys.executable, "-c", HOLDS, str(run.root)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        while (line := process.stdout.readline().strip()) != "has it":
            assert line.startswith("warned"), line
        yield process
    finally:
        process.kill()
        process.communicate()


# One run, resumed twice


def test_a_run_that_is_being_trained_is_not_resumed(clf: Clf, copied_run: RunDir) -> None:
    before = copied_run.last.read_bytes()
    with held(copied_run) as process:
        refused = clf("train", "--resume", copied_run.root, "--epochs", "3")
        assert refused.code == 4, refused.stderr
        assert f"by process {process.pid} on {os.uname().nodename}" in refused.stderr
        assert copied_run.last.read_bytes() == before
        assert clf("history", copied_run.root).code == 0, "it may be looked at meanwhile"
        process.kill()
        process.wait()
        assert copied_run.lock.exists(), "a killed process leaves its file"
        done = clf("train", "--resume", copied_run.root, "--epochs", "3")
    assert done.code == 0, done.stderr
    assert not copied_run.lock.exists()


def test_the_lock_is_given_back_and_taken_once(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    mark(run)
    with locked(run, pytest.fail):
        assert is_training(run)
        with pytest.raises(ModelError, match=f"process {os.getpid()}"), locked(run, pytest.fail):
            pass
        assert holder(run)["pid"] == os.getpid()
    assert not run.lock.exists()
    assert is_training(run) is None
    with locked(run, pytest.fail):
        pass


def test_many_that_want_the_lock_have_it_one_at_a_time(tmp_path: Path) -> None:
    run, inside_now, most = RunDir(tmp_path), [], []

    def work(number: int) -> None:
        for _ in range(20):
            try:
                with locked(run, pytest.fail):
                    inside_now.append(number)
                    most.append(len(inside_now))
                    time.sleep(0.001)
                    inside_now.remove(number)
            except ModelError:
                pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert len(most) >= 20
    assert max(most) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_that_outlives_its_parent_does_not_keep_the_lock(tmp_path: Path) -> None:
    program = HOLDS.replace("    sys.stdin.read()", "    import os\n    os.fork() or time.sleep(20)\n    os._exit(0)")
    program = program.replace("print(", "print(", 1)
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.wait(timeout=15) == 0, "the child sleeps on"
    with locked(RunDir(tmp_path), pytest.fail):
        pass
    assert process.stdout is not None
    process.stdout.close()


def test_where_files_cannot_be_locked_that_is_said(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("no strace here")
    if subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no tracing here")
    command = ["strace", "-f", "-o", "/dev/null", "-e", "trace=flock", "-e", "inject=flock:error=ENOLCK"]
    done = subprocess.run(
        [*command, sys.executable, "-c", HOLDS, str(tmp_path)], input="", capture_output=True, text=True, check=True
    )
    assert "where files cannot be locked" in done.stdout
    assert "has it" in done.stdout


def test_a_killed_run_is_known_at_once(tmp_path: Path, tiny_run: RunDir) -> None:
    run = RunDir(Path(shutil.copytree(tiny_run.root, tmp_path / "run")))
    mark(run, "running")
    with held(run) as process:
        assert read_run(run).status(datetime.now(UTC)) == "running"
        assert read_run(run).status(datetime(2100, 1, 1, tzinfo=UTC)) == "running", "the clock says nothing"
        process.kill()
        process.wait()
        assert read_run(run).status(datetime.now(UTC)) == "running?"


def test_a_killed_run_is_known_after_a_resumption_that_was_refused(clf: Clf, copied_run: RunDir) -> None:
    mark(copied_run, "running")
    assert clf("train", "--resume", copied_run.root, "--lr", "0.5").code == 2
    assert read_run(copied_run).status(datetime.now(UTC)) == "running?"
    mark(copied_run, "interrupted")
    assert clf("train", "--resume", copied_run.root, "--lr", "0.5").code == 2
    assert not copied_run.lock.exists()


# Two runs in one folder


@pytest.fixture
def start(tiny_dataset: Path, tmp_path: Path) -> Callable[[str | None], Start]:
    return lambda name: tiny_start(tiny_dataset, tmp_path / "runs", name)


def test_runs_that_begin_at_the_same_moment_have_folders_of_their_own(start: Callable[[str | None], Start]) -> None:
    begun = start(None)
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: claim(begun), range(24)))
    assert len({run.root for run in runs}) == 24
    assert all(run.root.is_dir() for run in runs)


def test_a_name_is_given_once(start: Callable[[str | None], Start]) -> None:
    begun = start("mine")

    def ended(_: int) -> str:
        try:
            return claim(begun).root.name
        except UsageError as error:
            return error.message

    with ThreadPoolExecutor(8) as pool:
        ends = sorted(pool.map(ended, range(8)))
    assert ends.count("mine") == 1
    assert sum("There is a run named 'mine'" in end for end in ends) == 7


@pytest.mark.long
def test_two_processes_with_one_name(tiny_dataset: Path, tmp_path: Path) -> None:
    both = [start_clf(train_arguments(tiny_dataset, tmp_path, "run", *BARE), tmp_path) for _ in range(2)]
    said = [process.communicate(timeout=240)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2], said
    assert not any("Traceback" in text for text in said)


# A folder that goes while it is in use


@pytest.mark.parametrize("then", ["deleted", "moved"])
def test_a_run_that_goes_while_it_trains_ends_and_is_not_made_anew(
    clf: Clf, tiny_dataset: Path, tmp_path: Path, then: str
) -> None:
    run, elsewhere = RunDir(tmp_path / "run"), RunDir(tmp_path / "elsewhere")

    def go() -> None:
        while not run.last.exists():
            time.sleep(0.005)
        run.root.rename(elsewhere.root)

    thread = threading.Thread(target=go)
    thread.start()
    done = clf(*train_arguments(tiny_dataset, tmp_path, "run", *BARE, "--epochs", "30", "--patience", "30"))
    thread.join()
    assert done.code == 6, done.stderr
    assert f"{run.root} is gone" in done.stderr
    assert "Traceback" not in done.stderr
    assert not run.root.exists()
    if then == "moved":
        resumed = clf("train", "--resume", elsewhere.root, "--epochs", "30", "--patience", "1")
        assert resumed.code == 0, resumed.stderr


def test_nothing_is_written_into_a_folder_that_took_the_place_of_the_kept_one(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with keeping(folder):
        write_text(folder / "deep" / "file", "x")
        shutil.rmtree(folder)
        folder.mkdir()
        with pytest.raises(RunError, match="is gone"):
            write_text(folder / "file", "x")
        with pytest.raises(RunError, match="is gone"), temporary_folder(folder / "export"):
            pass
        assert list(folder.iterdir()) == []
    write_text(folder / "file", "x")


# Files


def test_the_sweep_of_one_process_leaves_what_another_is_writing(tmp_path: Path) -> None:
    write_text(tmp_path / ".left.x.clf-tmp", "by a killed process")
    seen: list[int] = []

    def write(file: IO[bytes]) -> None:
        file.write(b"x")
        seen.append(sweep_leftovers(tmp_path))

    write_atomic(tmp_path / "file", write)
    assert seen == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_of_exports_at_once_one_is_there_whole(tmp_path: Path) -> None:
    files = files_beside(tmp_path / "export" / "model.onnx")
    files.model.parent.mkdir()

    def export(number: int) -> None:
        for _ in range(15):
            with temporary_folder(files.model) as folder:
                draft = inside(folder, files)
                draft.golden.mkdir()
                for path in (draft.model, draft.labels_mapping, draft.validation, draft.golden / "input.npy"):
                    path.write_text(str(number))
                publish(draft, files, has_golden=True)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(export, range(4)))
    paths = (files.model, files.labels_mapping, files.validation, files.golden / "input.npy")
    assert len({path.read_text() for path in paths}) == 1
    assert sorted(path.name for path in files.model.parent.iterdir()) == sorted(
        path.name for path in (files.model, files.labels_mapping, files.validation, files.golden)
    )


def test_two_scans_at_once_leave_a_whole_cache(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys; from clf_cli.data.cache import read_scan, write_scan\n"
        "path, root = pathlib.Path(sys.argv[1]), pathlib.Path('/data')\n"
        "for _ in range(40):\n"
        "    assert write_scan(path, root, '1', {f'{n}.png': [sys.argv[2], n] for n in range(3000)}) is None\n"
        "    rows = read_scan(path, root, '1'); assert len(rows) == 3000, len(rows)\n"
        "    assert len({row[0] for row in rows.values()}) == 1\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "scan.json")]
    both = [subprocess.Popen([*command, name], stderr=subprocess.PIPE, text=True) for name in "ab"]
    said = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert [path.name for path in tmp_path.iterdir()] == ["scan.json"]


def test_a_copy_of_a_run_goes_on_in_its_place_and_the_first_stays(clf: Clf, copied_run: RunDir, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in copied_run.root.rglob("*") if path.is_file()}
    copy = RunDir(Path(shutil.copytree(copied_run.root, tmp_path / "far" / "copy")))
    done = clf("train", "--resume", copy.root, "--epochs", "3")
    assert done.code == 0, done.stderr
    assert len(copy.metrics.read_text().splitlines()) == 1 + 3
    assert {path: path.read_bytes() for path in copied_run.root.rglob("*") if path.is_file()} == before
    assert json.loads(copy.report("train").read_text())["result"]["run"] == copy.root.as_posix()
