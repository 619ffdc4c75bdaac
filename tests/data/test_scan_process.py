"""Processes of the scan answer as its threads do, live no longer than it, and cost nothing but time where they die."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from clf_cli.data import scan as scanning
from clf_cli.data import scan_process
from clf_cli.data.scan import scan_files
from clf_cli.data.scan_process import LARGE_MEAN, MOST, EndedError, ScanProcess, worthwhile

IMAGES = 100


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("data")
    for index in range(IMAGES):
        image = Image.linear_gradient("L").resize((20 + index, 90)).convert("RGB")
        image.rotate(index).save(root / f"{index}.{('png', 'jpg')[index % 2]}")
    (root / "cut.jpg").write_bytes((root / "1.jpg").read_bytes()[:400])
    (root / "text.png").write_text("not an image")
    (root / "zero.png").touch()
    Image.new("I;16", (9, 9), 700).save(root / "grey.png")
    Image.new("RGB", (3, 4)).save(root / "\udcff.png", "PNG")  # no UTF-8
    return root


@pytest.fixture
def started(monkeypatch) -> list[ScanProcess]:
    """Those that scans start from now on, two each."""
    found: list[ScanProcess] = []

    class Recorded(ScanProcess):
        def __init__(self) -> None:
            super().__init__()
            found.append(self)

    monkeypatch.setattr(scanning, "ScanProcess", Recorded)
    monkeypatch.setattr(scanning, "worthwhile", lambda sizes, workers: 2)
    return found


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


@contextmanager
def interrupted(description: str, total: int | None):
    def advance(count: int) -> None:
        raise KeyboardInterrupt

    yield advance


def has_ended(process: ScanProcess) -> bool:
    return process._process.returncode is not None


def test_processes_and_threads_find_the_same(data, started):
    found = scan_files(data, names(data), 3)
    assert len(started) == 2
    assert all(map(has_ended, started))
    assert found.notes == ()
    started.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "worthwhile", lambda sizes, workers: 0)
        assert scan_files(data, names(data), 3) == scan_files(data, names(data)) == found
    assert started == []


def test_a_process_gives_every_row(data):
    paths = [str(data / name) for name in names(data)]
    process = ScanProcess()
    try:
        assert process.read(paths) == scanning.read_rows(paths)
        assert process.read([]) == []
    finally:
        process.end()
    assert has_ended(process)
    with pytest.raises(EndedError):
        process.read(paths)


def test_what_a_killed_process_has_not_read_is_read(data, started, monkeypatch):
    def start() -> ScanProcess:
        process = ScanProcess()
        process._process.kill()
        return process

    expected = scan_files(data, names(data)).files
    monkeypatch.setattr(scanning, "ScanProcess", start)
    found = scan_files(data, names(data), 3)
    assert found.files == expected
    assert all("signal 9" in note for note in found.notes)
    assert found.notes


@pytest.fixture
def stopped(started, monkeypatch) -> None:
    """Each process of a scan is stopped as it starts."""
    start = scanning.ScanProcess

    def start_stopped() -> ScanProcess:
        process = start()
        os.kill(process._process.pid, signal.SIGSTOP)
        return process

    monkeypatch.setattr(scanning, "ScanProcess", start_stopped)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX's signals")
def test_what_a_stopped_process_has_in_hand_is_read(data, started, stopped, monkeypatch):
    monkeypatch.setattr(scan_process, "SILENT", 0.2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "worthwhile", lambda sizes, workers: 0)
        expected = scan_files(data, names(data)).files
    found = scan_files(data, names(data), 3)
    assert found.files == expected
    assert len(started) == 2
    assert all(map(has_ended, started))
    assert found.notes
    assert all("signal 9" in note for note in found.notes)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX's signals")
def test_an_interrupted_scan_does_not_wait_for_a_stopped_process(data, started, stopped):
    with pytest.raises(KeyboardInterrupt):
        scan_files(data, names(data), 3, progress=interrupted)
    assert len(started) == 2
    assert all(map(has_ended, started))


def test_where_no_process_starts_threads_read(data, started, monkeypatch):
    def refuse() -> ScanProcess:
        raise BlockingIOError("no more processes")

    expected = scan_files(data, names(data), 3)
    monkeypatch.setattr(scanning, "ScanProcess", refuse)
    assert scan_files(data, names(data), 3) == expected


def test_an_interrupted_scan_leaves_no_process(data, started):
    with pytest.raises(KeyboardInterrupt):
        scan_files(data, names(data), 3, progress=interrupted)
    assert len(started) == 2
    assert all(map(has_ended, started))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_does_not_hear_ctrl_c_and_ends_with_its_parent():
    code = """
from clf_cli.data.scan_process import ScanProcess
process = ScanProcess()
process.read([])
print(process._process.pid, flush=True)
process.read([input()])
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    try:
        child = int(parent.stdout.readline())
        assert os.getpgid(child) != os.getpgid(parent.pid)
        assert os.getsid(child) == os.getsid(parent.pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        until = time.monotonic() + 10
        while Path(f"/proc/{child}/stat").exists() and time.monotonic() < until:
            if Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                break  # whoever adopts it does not wait for it
            time.sleep(0.02)
        assert time.monotonic() < until
    finally:
        parent.kill()
        parent.communicate()


def test_progress_counts_what_processes_read(data, started):
    counts: list[int] = []

    @contextmanager
    def watched(description: str, total: int | None):
        counts.append(-(total or 0))
        yield counts.append

    scan_files(data, names(data), 3, progress=watched)
    assert sum(counts) == 0
    assert len(counts) > 3


def test_processes_are_for_many_small_images():
    small = [2000] * 100_000
    assert worthwhile(small[:1000], 8) == 0
    assert worthwhile(small[:5000], 2) == 1
    assert worthwhile(small, 1) == 0
    assert worthwhile(small, 8) == 7
    assert worthwhile(small * 10, 100) == MOST
    assert worthwhile([LARGE_MEAN * 2] * 100_000, 8) == 0
    assert worthwhile([], 8) == 0
