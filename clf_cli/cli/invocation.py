"""What holds around the work of every command."""

import gc
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


def invoked(work: Callable[[], Answer]) -> Answer:
    """What `work` returns, with the folders settled that libraries use, and garbage collected again (__main__.py).

    Raises RunError (exit 6) where a library found no place for a temporary file.
    """
    from clf_cli.data.library_caches import settle_folders, temporary_place  # 20 ms, which help need not wait for

    settle_folders()
    if not gc.isenabled():
        gc.freeze()  # what was imported stays
        gc.enable()
    try:
        return work()
    except OSError:  # of a library that wants a temporary file
        temporary_place()  # raises RunError where there can be none
        raise
