"""The first step of a child process: it takes its limits upon itself, then becomes the program that it was started for.

`python -S onnx_launch.py MEGABYTES SECONDS PARENT PROGRAM ...`, by its path: with the standard library alone it starts
in a moment, and what it sets stays set across exec. POSIX only.
"""

import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(arguments: Sequence[str]) -> None:
    """Never returns. MEGABYTES limits addresses, SECONDS ends the child even where nobody waits for it."""
    megabytes, seconds, parent, *program = arguments
    if sys.platform != "win32":
        import resource  # POSIX only

        _lower(resource.RLIMIT_AS, int(megabytes) * 2**20)
        _lower(resource.RLIMIT_CORE, 0)
        signal.setitimer(signal.ITIMER_REAL, float(seconds))
    if sys.platform == "linux":
        import ctypes  # 10 ms

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):  # it died before the line above
            sys.exit(1)
    os.execv(program[0], program)


def _lower(limit: int, value: int) -> None:
    """A limit that is lower already stays: only root may raise one."""
    if sys.platform != "win32":
        import resource  # POSIX only

        _, hard = resource.getrlimit(limit)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))


if __name__ == "__main__":
    main(sys.argv[1:])
