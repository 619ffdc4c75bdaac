"""`clf` in a process that ends with its parent, and may kill itself: what `clf verify-resume` does to a run.

    python -m clf_cli.training.verify_child PARENT FILE ARGUMENTS...

PARENT is the id of the process that waits for it, FILE the one at which it kills itself, or nothing.
"""

import os
import runpy
import signal
import sys
from pathlib import Path

from clf_cli.child_signals import leave_to_parent


def kill_at(file: Path) -> None:
    """Ends this process as the kernel would, with the first file that it opens once `file` is there."""

    def hear(event: str, arguments: object) -> None:
        if event == "open" and file.exists():
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))  # on Windows both end it at once

    sys.addaudithook(hear)


if __name__ == "__main__":
    leave_to_parent(int(sys.argv.pop(1)))
    if given := sys.argv.pop(1):
        kill_at(Path(given))
    runpy.run_module("clf_cli", run_name="__main__", alter_sys=True)
