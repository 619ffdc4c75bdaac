"""Processes that read images die, hang or have no shared memory: a clear end, no hang, and none outlives its parent."""

import fcntl
import gc
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from torch.utils.data import DataLoader

from clf_cli.data.dataset import load_dataset
from clf_cli.data.knobs import resolve_augment
from clf_cli.data.loaders import Loading, ResumableLoader, train_loader
from clf_cli.data.workers import WorkerError
from clf_cli.models.compute import available_cores
from clf_cli.settings.sections import AugmentSection, DataSection
from clf_cli.values.preprocess import Preprocess
from clf_cli.values.run_dir import RunDir
from tests.faults.signalled import Place, signalled
from tests.running import draw_discs, train_arguments

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's signals, leases and shared memory")
BARE = ("--no-export", "--no-samples", "--no-history", "--no-confusion", "--no-report")
PATIENCE = 4.0  # seconds
ONE_LOADER = """
import os, sys
from pathlib import Path
from tests.faults.test_workers import loader_of
loader = loader_of(Path(sys.argv[1]), 300, side=int(sys.argv[2]))
"""


def loader_of(data: Path, timeout: float, side: int = 16) -> ResumableLoader:
    """Batches of four, read by two processes."""
    dataset = load_dataset(DataSection(root=data, scan_cache=False), 0)
    preprocess = Preprocess(side, side)
    augment = resolve_augment(AugmentSection(preset="none"), dataset.labels)
    return train_loader(dataset, preprocess, augment, Loading(4, workers=2, timeout=timeout), seed=0)


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_discs(tmp_path_factory.mktemp("discs"), {"train": 60, "val": 2})


def workers_of(loader: ResumableLoader) -> list[int]:
    return [worker.pid for worker in loader._iterator._workers]


def lives(process: int) -> bool:
    """Whether it is there, and not dead and only not waited for."""
    state = Path(f"/proc/{process}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_dead_worker_is_named_with_its_signal_and_the_flag(discs: Path, number: signal.Signals) -> None:
    loader = loader_of(discs, 300)
    batches = iter(loader)
    next(batches)
    os.kill(workers_of(loader)[0], number)
    with pytest.raises(WorkerError, match="process that reads images was ended by") as told:
        list(batches)
    assert number.name in told.value.message
    assert "--workers 0" in str(told.value.hint)
    assert told.value.exit_code == 6


class _DeadlyImages:
    """Of a loader that is not ours."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> int:
        os._exit(1)


def test_a_dead_worker_of_another_loader_is_not_ours(discs: Path) -> None:
    """Ours is between two batches, where a death is kept until the next one is asked for."""
    loader = loader_of(discs, 300)
    batches = iter(loader)
    next(batches)
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        next(iter(DataLoader(_DeadlyImages(), num_workers=1)))  # type: ignore[arg-type]  # a sequence, no Dataset
    assert sum(1 for _ in batches) == len(loader) - 1
    assert sum(1 for _ in loader_of(discs, 300)) == len(loader)


def test_a_dead_worker_of_a_loader_that_is_gone_is_no_error(discs: Path) -> None:
    loader = loader_of(discs, 300)
    batches = iter(loader)
    next(batches)
    os.kill(workers_of(loader)[0], signal.SIGKILL)
    time.sleep(0.5)
    del batches, loader
    gc.collect()
    again = loader_of(discs, 300)
    assert sum(1 for _ in again) == len(again)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_worker_does_not_hear_what_asks_a_run_to_stop(discs: Path, number: signal.Signals) -> None:
    loader = loader_of(discs, 300)
    batches = iter(loader)
    next(batches)
    for worker in workers_of(loader):
        os.kill(worker, number)
    assert sum(1 for _ in batches) == len(loader) - 1


def test_a_worker_that_does_not_end_is_ended_with_its_loader(discs: Path) -> None:
    """torch sends it SIGTERM after five seconds, and then waits for it."""
    loader = loader_of(discs, 300)
    batches = iter(loader)
    next(batches)
    workers = workers_of(loader)
    os.kill(workers[0], signal.SIGSTOP)
    del batches, loader
    gc.collect()
    time.sleep(0.5)
    assert not any(lives(worker) for worker in workers)


def test_a_dead_worker_is_named_where_the_handler_of_sigchld_was_taken_away(discs: Path) -> None:
    """As Lightning does at the end of a training, after which torch sets none again."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        loader = loader_of(discs, PATIENCE)
        batches = iter(loader)
        next(batches)
        os.kill(workers_of(loader)[0], signal.SIGKILL)
        with pytest.raises(WorkerError, match="was ended by SIGKILL"):
            list(batches)
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_stopped_workers_are_named_with_the_files_that_they_hold_back(discs: Path) -> None:
    loader = loader_of(discs, PATIENCE)
    batches = iter(loader)
    next(batches)
    began = time.monotonic()
    for worker in (workers := workers_of(loader)):
        os.kill(worker, signal.SIGSTOP)
    with pytest.raises(WorkerError, match=f"has not answered for {PATIENCE:g} s") as told:
        list(batches)
    assert time.monotonic() - began < 3 * PATIENCE + 10
    drawn = loader.draws.order().tolist()
    batch = [loader.paths[index] for index in drawn[loader.done * 4 :][:4]]
    assert ", ".join(batch) in told.value.message
    assert "--worker-timeout" in str(told.value.hint)
    time.sleep(0.5)
    assert not any(lives(worker) for worker in workers)


def test_a_file_that_never_comes_is_named(discs: Path) -> None:
    loader = loader_of(discs, PATIENCE)
    name = loader.paths[int(loader.draws.order()[-1])]
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    file = os.open(discs / name, os.O_RDWR)
    try:
        try:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)  # who opens it waits for this process, or 45 seconds
        except OSError as error:
            pytest.skip(f"no lease on this file system: {error}")
        with pytest.raises(subprocess.TimeoutExpired):  # the limit bites
            subprocess.run(["cat", discs / name], stdout=subprocess.DEVNULL, timeout=0.5, check=False)
        began = time.monotonic()
        with pytest.raises(WorkerError, match="has not answered") as told:
            list(loader)
        assert name in told.value.message
        assert time.monotonic() - began < 3 * PATIENCE + 10
    finally:
        os.close(file)
        signal.signal(signal.SIGIO, before)
        end = time.monotonic() + 10  # the processes that were killed have the file too, and with it the lease
        while multiprocessing.active_children() and time.monotonic() < end:
            time.sleep(0.05)


def test_workers_do_not_outlive_a_parent_that_is_killed(discs: Path) -> None:
    """The call returns when everyone who has the other end of stdout is gone."""
    program = ONE_LOADER + (
        "next(iter(loader))\nprint(*[w.pid for w in loader._iterator._workers], flush=True)\nos.kill(os.getpid(), 9)\n"
    )
    began = time.monotonic()
    command = [sys.executable, "-c", program, str(discs), "16"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(done.stdout.split()) == 2
    assert time.monotonic() - began < 45
    time.sleep(0.5)
    assert not any(lives(int(worker)) for worker in done.stdout.split())


def can_mount() -> bool:
    unshare = shutil.which("unshare")
    command = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/dev/shm"]
    return unshare is not None and subprocess.run(command, capture_output=True, check=False).returncode == 0


def with_little_shared_memory(*command: str) -> subprocess.CompletedProcess[str]:
    """Runs it where /dev/shm has one megabyte."""
    script = 'mount -t tmpfs -o size=1m none /dev/shm && exec "$@"'
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", *command], capture_output=True, text=True, timeout=240, check=False
    )


@pytest.mark.skipif(not can_mount(), reason="needs the right to mount")
def test_shared_memory_that_is_full_is_named(discs: Path) -> None:
    fills = with_little_shared_memory("dd", "if=/dev/zero", "of=/dev/shm/probe", "bs=1M", "count=2")
    assert fills.returncode != 0, "the limit bites"
    assert "No space left" in fills.stderr
    program = ONE_LOADER + (
        "from clf_cli.data.workers import WorkerError\n"
        "try:\n    list(loader)\nexcept WorkerError as error:\n    print(error, error.hint)\n"
    )
    done = with_little_shared_memory(sys.executable, "-c", program, str(discs), "400")
    assert "ran out of shared memory" in done.stdout, done.stderr
    assert "--workers 0" in done.stdout
    assert done.returncode == 0


@pytest.mark.skipif(not can_mount(), reason="needs the right to mount")
@pytest.mark.skipif(available_cores() < 2, reason="a worker needs a core beside the math")
def test_too_little_shared_memory_is_said_before_the_first_step(discs: Path, tmp_path: Path) -> None:
    """Two batches of 64 val images in float32 are 1.6 MB."""
    arguments = train_arguments(discs, tmp_path, "run", "--workers", "1", *BARE)
    done = with_little_shared_memory(sys.executable, "-m", "clf_cli", *arguments)
    assert done.returncode == 6, done.stderr
    assert "/dev/shm has 1 MB free" in done.stderr
    assert "--workers 0" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(available_cores() < 2, reason="a worker needs a core beside the math")
def test_a_run_whose_worker_is_killed_ends_with_6_and_says_how_it_goes_on(discs: Path, tmp_path: Path) -> None:
    arguments = train_arguments(discs, tmp_path, "run", "--workers", "1", "--epochs", "3", *BARE)
    ended = signalled(arguments, Place("open", ".metrics.csv", 2), signal.SIGKILL, cwd=tmp_path, whom="its workers")
    assert ended.code == 6, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "SIGKILL" in ended.stderr
    assert f"clf train --resume {tmp_path / 'run'} --workers 0" in ended.stderr
    assert ended.seconds < 30
    assert RunDir(tmp_path / "run").last.is_file()
