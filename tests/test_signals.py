"""What one process does when signals come: each case in a process of its own, which sends them to itself."""

import shutil
import signal
import subprocess
import sys
import time

import pytest

from clf_cli import signals

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

HEAD = """
import os, signal, sys, threading, time
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)
from clf_cli import signals
def tell(*numbers, after=0.0):
    for number in numbers:
        time.sleep(after)
        os.kill(os.getpid(), number)
"""
ENDS = """
try:
    with signals.listening(stays=True):
        work()
except signals.Stop as stop:
    print(stop, flush=True)
    sys.exit(stop.exit_code)
"""


def run(program: str, *prefix: str, seconds: float = 20) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a Python with `program`, whose `work` is done while signals are listened to."""
    command = [*prefix, sys.executable, "-c", HEAD + program]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_the_first_signal_stops_the_main_thread_wherever_it_is(name, code):
    program = f"def work():\n    tell(signal.{name})\n    time.sleep(30)\n"
    returned, said, complaints = run(program + ENDS)
    assert (returned, said, complaints) == (code, f"{name}\n", "")


def test_without_listening_the_same_program_dies_of_it():
    """The check itself: 143 above is our doing."""
    returned, said, _ = run("tell(signal.SIGTERM)\ntime.sleep(30)\n")
    assert (returned, said) == (-signal.SIGTERM, "")


def test_libraries_that_catch_every_exception_do_not_catch_it():
    program = (
        "def work():\n    try:\n        tell(signal.SIGTERM)\n        time.sleep(30)\n    except Exception: pass\n"
    )
    assert run(program + ENDS)[0] == 143


def test_a_finaliser_does_not_lose_it():
    """Python only reports what is raised in one, and goes on with the work."""
    program = """
class Last:
    def __del__(self):
        tell(signal.SIGTERM)
        time.sleep(30)
def work():
    Last()
    time.sleep(30)
    print("went on")
"""
    assert run(program + ENDS) == (143, "SIGTERM\n", "")


def test_an_import_is_ended_first(tmp_path):
    """Torch's C++ ends the process with SIGABRT when Python raises in the middle of it."""
    (tmp_path / "slow.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(0.3)\nprint(1)"
    )
    program = f"""
def work():
    sys.path.insert(0, {str(tmp_path)!r})
    import slow
    time.sleep(30)
    print("went on")
"""
    assert run(program + ENDS) == (143, "1\nSIGTERM\n", "")


def test_other_errors_in_a_finaliser_are_still_reported():
    program = """
class Last:
    def __del__(self):
        raise ValueError("reported")
def work():
    Last()
"""
    code, _, complaints = run(program + ENDS)
    assert code == 0
    assert "ValueError: reported" in complaints


def test_a_second_signal_ends_the_process_at_once():
    program = """
def work():
    signals.defer()
    signals.before_leaving(lambda: "last words")
    tell(signal.SIGTERM, signal.SIGINT, after=0.7)
    time.sleep(30)
"""
    began = time.monotonic()
    code, _, said = run(program + ENDS)
    assert code == 143
    assert said.split("\n")[1:] == ["Stopped at once.", "last words", ""]
    assert time.monotonic() - began < 10


def test_one_signal_that_comes_twice_at_once_is_one():
    """As timeout(1) sends it: to the process, and to its group."""
    program = """
def work():
    signals.defer()
    tell(signal.SIGTERM)
    tell(signal.SIGTERM)
    time.sleep(1.0)
    print("saved", flush=True)
    raise signals.Stop(signals.received())
"""
    assert run(program + ENDS)[:2] == (143, "saved\nSIGTERM\n")


def test_what_does_not_stop_is_ended():
    program = "signals.GRACE = 0.5\ndef work():\n    signals.defer()\n    tell(signal.SIGTERM)\n    time.sleep(30)\n"
    began = time.monotonic()
    code, _, said = run(program + ENDS)
    assert code == 143
    assert "did not stop within 0.5 s" in said
    assert time.monotonic() - began < 10
    assert signals.GRACE < 30


UNREAD = """
reader, writer = os.pipe()
os.dup2(writer, 2)
os.set_blocking(2, False)
try:
    while True:
        os.write(2, bytes(4096))
except BlockingIOError:
    os.set_blocking(2, True)
"""


def test_lines_that_nobody_reads_do_not_hold_up_the_end():
    """stderr is a pipe that is full, as of a pager; the announcement and the last words wait in it."""
    program = """
signals.GRACE, signals._LAST_WORDS = 0.5, 0.2
def work():
    signals.defer(lambda: os.write(2, b"stopping"))
    signals.before_leaving(lambda: os.write(2, b"last words"))
    tell(signal.SIGINT)
    os.write(2, b"progress")
"""
    assert run(UNREAD + program + ENDS)[0] == 130


def test_the_code_is_that_of_the_signal_where_only_native_code_runs():
    """Python's own handlers have no turn."""
    program = """
import hashlib
signals.GRACE = 0.5
def work():
    threading.Timer(0.2, tell, [signal.SIGINT]).start()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 200_000_000)
"""
    code, _, said = run(program + ENDS)
    assert code == 130
    assert "did not stop" in said


def test_what_takes_its_time_is_not_ended():
    program = """
signals.GRACE = 0.3
def work():
    signals.defer()
    tell(signal.SIGTERM)
    signals.take_time()
    time.sleep(1.0)
    print("saved", flush=True)
    raise signals.Stop(signals.received())
"""
    assert run(program + ENDS)[:2] == (143, "saved\nSIGTERM\n")


def test_renames_that_belong_together_are_both_done():
    program = """
def work():
    with signals.deferred():
        tell(signal.SIGTERM)
        time.sleep(0.1)
        print("both", flush=True)
    print("never")
"""
    assert run(program + ENDS)[:2] == (143, "both\nSIGTERM\n")


def test_a_thread_that_hangs_does_not_keep_a_stopped_process():
    program = """
signals.GRACE = 1.0
def work():
    threading.Thread(target=time.sleep, args=(60,)).start()
    tell(signal.SIGTERM)
    time.sleep(30)
"""
    began = time.monotonic()
    assert run(program + ENDS)[0] == 143
    assert time.monotonic() - began < 10


def test_lightnings_handler_is_taken_over():
    program = """
def work():
    signal.signal(signal.SIGTERM, lambda number, frame: print("theirs"))
    signals.defer()
    tell(signal.SIGTERM)
    print(signals.received(), flush=True)
    raise signals.Stop(signals.received())
"""
    assert run(program + ENDS)[1] == "15\nSIGTERM\n"


def test_a_forked_child_tells_its_parent_nothing():
    program = """
def work():
    child = os.fork()
    if not child:
        time.sleep(30)
    time.sleep(0.2)
    os.kill(child, signal.SIGINT)  # ignored: the parent decides
    os.kill(child, signal.SIGTERM)
    status = os.waitpid(child, 0)[1]
    time.sleep(0.2)
    print(os.WTERMSIG(status), signals.received(), flush=True)
"""
    assert run(program + ENDS)[:2] == (0, "15 None\n")


def test_what_was_ignored_stays_ignored():
    """nohup(1), and a shell's background jobs."""
    program = """
signal.signal(signal.SIGHUP, signal.SIG_IGN)
def work():
    tell(signal.SIGHUP)
    time.sleep(0.2)
    print(signals.received(), flush=True)
"""
    assert run(program + ENDS)[:2] == (0, "None\n")


def test_a_terminal_that_is_gone_is_not_written_to():
    program = """
import pty
child, terminal = pty.fork()
if child:
    while os.read(terminal, 100) != b"ready": pass
    os.close(terminal)  # SIGHUP to the child, whose terminal answers EIO from now on
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
signal.signal(signal.SIGHUP, signal.SIG_DFL)
def work():
    os.write(1, b"ready")
    time.sleep(30)
"""
    assert run(program + ENDS)[0] == 129


def test_handlers_are_given_back():
    before = [signal.getsignal(number) for number in signals.NUMBERS]
    with signals.listening():
        pass
    assert [signal.getsignal(number) for number in signals.NUMBERS] == before
    assert signal.set_wakeup_fd(-1) == -1


def can_be_pid_1() -> bool:
    unshare = shutil.which("unshare")
    return (
        unshare is not None
        and not subprocess.run([unshare, "-p", "-f", "true"], capture_output=True, check=False).returncode
    )


@pytest.mark.skipif(not can_be_pid_1(), reason="needs the right to make a PID namespace")
def test_as_process_1_of_a_container():
    """The kernel drops signals that process 1 has no handler for."""
    deaf = "assert os.getpid() == 1\ntell(signal.SIGTERM)\ntime.sleep(0.1)\nprint('alive', flush=True)\n"
    assert run(deaf, "unshare", "-p", "-f")[1] == "alive\n"
    program = "def work():\n    assert os.getpid() == 1\n    tell(signal.SIGTERM)\n    time.sleep(30)\n"
    assert run(program + ENDS, "unshare", "-p", "-f")[:2] == (143, "SIGTERM\n")
    stubborn = "signals.GRACE = 0.5\ndef work():\n    signals.defer()\n    tell(signal.SIGTERM)\n    time.sleep(30)\n"
    assert run(stubborn + ENDS, "unshare", "-p", "-f")[0] == 143
