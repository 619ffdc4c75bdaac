"""The C library's memory, as training on a CPU wants it."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h
_KEPT = 1 << 30  # bytes: above the activations of a layer, which are some hundred million


def keep_freed_memory() -> None:
    """Tells glibc to use memory again that was freed, instead of giving it back to the system and asking for more.

    By default each block above 32 MB is mapped anew, and the system clears its pages: of a training step of resnet18
    at 224 px that was an eighth. Nothing happens where the C library is another, or addresses are limited (ulimit -v):
    blocks that are kept between others leave no room for larger ones.
    """
    if sys.platform != "linux" or _addresses_are_limited():
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _KEPT)
        mallopt(_TRIM_THRESHOLD, _KEPT)


def give_back_freed_memory() -> None:
    """Lets glibc give back what it keeps, where memory ran out: a thread needs room for its stack."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def _addresses_are_limited() -> bool:
    import resource  # not on Windows

    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
