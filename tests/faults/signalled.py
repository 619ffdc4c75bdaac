"""`clf` in a process of its own that sends signals to itself at an exact place: a parent may look too late."""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRAM = """
import os, signal, sys, time
wanted, words, times, numbers = sys.argv[1], sys.argv[2], int(sys.argv[3]), [int(n) for n in sys.argv[4].split(",")]
whom = sys.argv[5]
del sys.argv[1:6]
main_process = os.getpid()
def send(number):
    if whom == "its group":
        return os.killpg(os.getpgid(0), number)
    import multiprocessing
    receivers = [main_process] if whom == "itself" else [child.pid for child in multiprocessing.active_children()]
    for process in receivers:
        os.kill(process, number)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)
left = [times]
def hear(event, arguments):
    if event != wanted or not left[0] or os.getpid() != main_process or words not in str(arguments[0]):
        return
    left[0] -= 1
    if not left[0]:
        for count, number in enumerate(numbers):
            time.sleep(0.8 * (count > 0))
            print("SIGNALLED", time.time(), file=sys.stderr, flush=True)
            send(number)
        time.sleep(10 * (len(numbers) > 1))  # a second signal ends it here, before what it was about to do
sys.addaudithook(hear)
from clf_cli.__main__ import main
sys.exit(main())
"""


@dataclass(frozen=True)
class Place:
    """The moment at which signals are sent: the `times`-th audit event whose first argument contains `words`."""

    event: str  # "open" or "import"
    words: str
    times: int = 1


@dataclass(frozen=True)
class Signalled:
    """How the process ended; `seconds` after its first signal."""

    code: int
    stdout: str
    stderr: str
    seconds: float


def signalled(
    arguments: Sequence[object], place: Place, *numbers: signal.Signals, cwd: Path, whom: str = "itself"
) -> Signalled:
    """Runs `clf` with the arguments; `whom` is itself, its workers or its group. A process that never comes to the
    place fails the test."""
    marks = (place.event, place.words, place.times, ",".join(str(int(number)) for number in numbers), whom)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, marks), *map(str, arguments)],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        start_new_session=True,  # a group of its own
    )
    told = [line for line in done.stderr.splitlines() if line.startswith("SIGNALLED")]
    assert told, f"{place} never came: exit {done.returncode}\n{done.stderr}"
    seconds = time.time() - float(told[0].split()[1])
    return Signalled(done.returncode, done.stdout, done.stderr, seconds)
