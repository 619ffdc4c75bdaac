"""Processes that read images: whether one starts and hands a batch over, and the memory that they share."""

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

from clf_cli.data.library_caches import temporary_place
from clf_cli.engine.doctor_check import Check, gigabytes
from clf_cli.errors import RunError
from clf_cli.values.predictions import EVAL_BATCH, FloatArray

GROUP = "workers"
SHARED = Path("/dev/shm")  # Linux's
AHEAD = 2  # batches that torch has each worker prepare
PATIENCE = 8  # seconds
DEFAULT_SIDE = 224


class _OneBatch:
    """The images of a val batch; a class of its own so that it reaches a process that starts afresh."""

    def __init__(self, side: int) -> None:
        self.side = side

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> FloatArray:
        if index >= len(self):
            raise IndexError
        return np.ones((EVAL_BATCH, 3, self.side, self.side), np.float32)


def workers(count: int, side: int | None) -> tuple[Check, ...]:
    """`count` is what a training would take, `side` its input size in pixels."""
    side = side or DEFAULT_SIDE
    return _worker(count, side), _shared_memory(count, side)


def _worker(count: int, side: int) -> Check:
    start = time.perf_counter()
    try:
        temporary_place()  # of the socket between the two
        from torch.utils.data import DataLoader  # not at the top: this file is not about torch

        images: Any = _OneBatch(side)
        batch = next(iter(DataLoader(images, batch_size=None, num_workers=1, timeout=PATIENCE)))
        works, reason = bool((batch == 1).all()), "it handed over other values"
    except (ImportError, RuntimeError, OSError, RunError) as error:
        works, reason = False, str(error).splitlines()[0]
    if works:
        return Check(GROUP, "one worker", f"starts and hands over a batch in {time.perf_counter() - start:.1f} s")
    hint = "Read images in the main process: --workers 0, or CLF_COMPUTE__WORKERS=0."
    return Check(GROUP, "one worker", f"does not work: {reason}", "problem" if count else "warning", hint)


def _shared_memory(count: int, side: int, folder: Path = SHARED) -> Check:
    if not folder.is_dir():
        return Check(GROUP, "shared memory", "not limited on this platform")
    usage = shutil.disk_usage(folder)
    needed = count * AHEAD * EVAL_BATCH * 3 * side * side * 4
    value = f"{gigabytes(usage.free)} free of {gigabytes(usage.total)} in {folder.as_posix()}"
    if usage.free >= needed:
        return Check(GROUP, "shared memory", value if count else f"{value}; not used without workers")
    return Check(
        GROUP,
        "shared memory",
        f"{value}; with --workers {count} batches at {side} px can fill {gigabytes(needed)}",
        "warning",
        "Give a container more (shm-size of docker, 2g), or read images in the main process: --workers 0.",
    )
