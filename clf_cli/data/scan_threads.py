"""How many threads read files."""

import os
import sys
from typing import Literal


def scan_threads(workers: int | Literal["auto"]) -> int:
    """Threads that read files: `workers`, or one per core that this process may use."""
    if workers != "auto":
        return max(1, workers)
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
