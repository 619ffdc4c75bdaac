"""Children that misbehave in every way, for real: what becomes of them, and what is said of them."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from clf_cli.engine.onnx_child import Limits, is_disk_error, python_module, reason_of, run_child
from clf_cli.errors import ExportError, ModelError, RunError

ROOMY = Limits(seconds=60, megabytes=4096)
WRITES_ITS_PID = (
    "import os, sys, time, pathlib; file = pathlib.Path(sys.argv[1]); aside = file.with_suffix('.new')\n"
    "aside.write_text(str(os.getpid())); aside.rename(file); time.sleep(600)"
)
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")


def python(code, *arguments):
    return (sys.executable, "-S", "-c", code, *map(str, arguments))


def is_alive(pid):
    """A process that ended and waits for its parent is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("", None),
        ("import os; os.abort()", "it crashed (signal 6, SIGABRT)"),
        ("import os; os.kill(os.getpid(), 11)", "it crashed (signal 11, SIGSEGV)"),
        ("import ctypes; ctypes.string_at(0)", "it crashed (signal 11, SIGSEGV)"),
        ("import os; os.kill(os.getpid(), 9)", "it crashed (signal 9, SIGKILL)"),
        ("import sys; print('noise', file=sys.stderr); sys.exit('the last word')", "it failed: the last word"),
        ("import os; os._exit(3)", "it failed: exit code 3"),
        ("x = bytearray(8 * 2**30)", "it needs more than the 4096 MB of memory that it may use"),
        ("nonsense", "it failed: NameError: name 'nonsense' is not defined"),
        ("print('x' * 10**6); import sys; print('y' * 10**6, file=sys.stderr)", None),
    ],
)
@posix
def test_how_it_ended_is_told_in_a_clause(code, reason, capfd):
    assert run_child(python(code), ROOMY) == reason
    assert capfd.readouterr() == ("", "")


@posix
def test_memory_taken_by_native_code_is_limited_too():
    """An allocation that no Python object holds: mmap of 8 GB."""
    code = "import mmap; mmap.mmap(-1, 8 * 2**30)"
    assert run_child(python(code), ROOMY) == "it needs more than the 4096 MB of memory that it may use"


@posix
def test_one_that_hangs_is_killed_with_its_own_children(tmp_path):
    code = (
        "import os, subprocess, sys, time, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)'])\n"
        "pathlib.Path(sys.argv[1]).write_text(f'{os.getpid()} {child.pid}')\n"
        "time.sleep(600)"
    )
    began = time.monotonic()
    assert run_child(python(code, tmp_path / "pids"), Limits(5, 4096)) == "it did not finish within 5 s"
    assert time.monotonic() - began < 60
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    assert wait_for(lambda: not any(is_alive(pid) for pid in pids))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it ends soon after its time limit")
def test_it_dies_with_its_parent(tmp_path):
    code = (
        "import sys\n"
        "from clf_cli.engine.onnx_child import Limits, run_child\n"
        f"run_child((sys.executable, '-S', '-c', {WRITES_ITS_PID!r}, sys.argv[1]), Limits(600, 4096))"
    )
    with subprocess.Popen([sys.executable, "-c", code, tmp_path / "pid"], cwd=Path(__file__).parents[2]) as parent:
        assert wait_for((tmp_path / "pid").is_file, 60)
        pid = int((tmp_path / "pid").read_text())
        assert is_alive(pid)
        parent.kill()
    assert wait_for(lambda: not is_alive(pid))


@posix
def test_an_interruption_ends_it(tmp_path):
    """Ctrl-C reaches clf alone: the child has a session of its own."""
    code = WRITES_ITS_PID

    def interrupt(*_):
        raise KeyboardInterrupt

    def press():
        wait_for((tmp_path / "pid").is_file)
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    threading.Thread(target=press).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run_child(python(code, tmp_path / "pid"), Limits(60, 4096))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert wait_for(lambda: not is_alive(int((tmp_path / "pid").read_text())))


@posix
def test_it_ends_by_itself_when_nobody_ends_it():
    """The launcher's own limit, which holds where the system does not end children with their parents."""
    from clf_cli.engine import onnx_launch

    command = [sys.executable, "-S", onnx_launch.__file__, "4096", "0.5", str(os.getpid())]
    done = subprocess.run([*command, *python("import time; time.sleep(600)")], timeout=60, check=False)
    assert done.returncode == -signal.SIGALRM


@posix
def test_a_lower_limit_stays():
    """Of a machine that allows less than the setting."""
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2 * 2**30, 2 * 2**30))\n"
        "from clf_cli.engine.onnx_launch import _lower\n"
        "_lower(resource.RLIMIT_AS, 2**40)\n"
        "assert resource.getrlimit(resource.RLIMIT_AS) == (2 * 2**30, 2 * 2**30)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@posix
def test_modules_of_the_current_folder_are_not_in_its_way(tmp_path, monkeypatch):
    (tmp_path / "onnx.py").write_text("raise SystemExit('the wrong onnx')")
    monkeypatch.chdir(tmp_path)
    assert "wrong" not in (run_child(python_module("onnx.version"), ROOMY) or "")


class TestItsOwnMain:
    def run(self, code):
        head = "from clf_cli.engine.onnx_child import child_main\nfrom clf_cli.errors import *\n"
        body = "\n".join(f"    {line}" for line in code.splitlines())
        return run_child((sys.executable, "-c", f"{head}def work():\n{body}\nchild_main(work)"), ROOMY)

    def test_a_clause_goes_through_as_it_is(self):
        assert self.run("raise ExportError('it wrote opset 18, asked was 17')") == "it wrote opset 18, asked was 17"

    def test_the_cause_is_told(self):
        code = "try:\n    1 / 0\nexcept Exception as error:\n    raise RuntimeError('a pass failed') from error"
        assert self.run(code) == "it failed: ZeroDivisionError: division by zero"

    def test_a_crash_of_the_tools_at_their_end_changes_nothing(self):
        assert self.run("import atexit, os\natexit.register(os.abort)") is None

    def test_a_full_disk_is_the_disks_fault(self):
        with pytest.raises(RunError, match="cannot be written: No space left on device"):
            self.run("import errno, os\nraise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))")


def test_reasons():
    assert reason_of(ValueError("one\ntwo")) == "ValueError: one"
    assert reason_of(ValueError()) == "ValueError: ValueError"
    assert reason_of(ModelError("in our words", "hint")) == "in our words"
    wrapped = RuntimeError("a pass")
    wrapped.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert is_disk_error(wrapped)
    assert reason_of(wrapped) == "No space left on device"
    assert not is_disk_error(OSError(errno.ENOENT, "No such file"))
    assert not is_disk_error(ExportError("x"))
