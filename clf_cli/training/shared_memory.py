"""Whether the shared memory holds the batches that workers prepare: told before the first step, not by a bus error."""

from dataclasses import replace

from clf_cli.data.workers import AHEAD, SHARED, shared_free
from clf_cli.errors import RunError
from clf_cli.training.start import Start
from clf_cli.values.predictions import EVAL_BATCH


def with_shared_memory(start: Start, free: int | None = None) -> Start:
    """`start` with as many workers as the shared memory has room for, when their number is `auto`.

    `free` (bytes) defaults to what is free. Raises RunError (exit 6) for a number that was asked for and has no room.
    """
    free = shared_free() if free is None else free
    workers = start.compute.workers
    needed = batch_bytes(start) * AHEAD
    if not workers or free is None or needed * workers <= free:
        return start
    fitting = free // needed
    if start.settings.compute.workers != "auto":
        raise RunError(
            f"{SHARED} has {free / 1e6:.0f} MB free, and {workers} workers can fill {needed * workers / 1e6:.0f} MB "
            "with the batches that they prepare.",
            f"Take --workers {fitting} or smaller batches, or give a container more: docker run --shm-size 2g.",
        )
    return replace(
        start,
        compute=replace(start.compute, workers=fitting),
        record=replace(start.record, workers=fitting),
        notes=(
            *start.notes,
            f"--workers auto became {fitting} instead of {workers}: {SHARED} has only {free / 1e6:.0f} MB free "
            "(docker run --shm-size 2g gives more).",
        ),
    )


def batch_bytes(start: Start) -> int:
    """The larger of a batch of train, in uint8, and one of val, in float32."""
    pixels = 3 * start.preprocess.height * start.preprocess.width
    return max(start.settings.optim.images_per_batch * pixels, EVAL_BATCH * pixels * 4)
