"""What processes that this one starts hear of signals: each case in a process of its own."""

import signal
import sys
import time
from pathlib import Path

import pytest

from tests.test_signals import ENDS, run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
BORN = """
import multiprocessing, subprocess
from clf_cli.child_signals import deaf
def answer(pipe):
    pipe.send("born")
    pipe.send(pipe.recv())
def lives_through(number):
    here, there = multiprocessing.Pipe()
    with around:
        child = multiprocessing.get_context("fork").Process(target=answer, args=(there,))
        child.start()
        os.kill(child.pid, number)  # before it has run a line
    os.kill(child.pid, number)
    here.recv()
    os.kill(child.pid, number)
    here.send("still there")
    return here.poll(5) and here.recv() == "still there"
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_process_that_starts_deaf_lives_through_a_signal(name):
    assert run(f"{BORN}around = deaf()\nprint(lives_through(signal.{name}))")[1] == "True\n"


def test_a_program_that_starts_deaf_is_so_too():
    program = """
import subprocess
from clf_cli.child_signals import deaf
with deaf():
    child = subprocess.Popen(["sleep", "0.3"])
child.send_signal(signal.SIGTERM)
print(child.wait())
"""
    assert run(program)[1] == "0\n"


def test_whoever_starts_one_hears_signals_as_before():
    program = """
from clf_cli.child_signals import deaf
def work():
    with deaf():
        tell(signal.SIGTERM)
    time.sleep(10)
"""
    assert run(program + ENDS)[:2] == (143, "SIGTERM\n")


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_a_child_dies_with_its_parent():
    program = """
from clf_cli.child_signals import leave_to_parent
parent, (reader, writer) = os.getpid(), os.pipe()
child = os.fork()
if not child:
    leave_to_parent(parent)
    print(os.getpid(), flush=True)
    os.write(writer, b"ready")
    time.sleep(30)
os.read(reader, 5)
os.kill(os.getpid(), signal.SIGKILL)
"""
    code, said, _ = run(program)  # returns when the child, which has the other end of stdout, is gone too
    assert code == -signal.SIGKILL
    end = time.monotonic() + 10  # its files are closed a moment before it is dead
    while lives(int(said)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not lives(int(said))


def lives(process: int) -> bool:
    """Whether it is there, and not dead and only not waited for."""
    state = Path(f"/proc/{process}/stat")
    return state.exists() and state.read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
