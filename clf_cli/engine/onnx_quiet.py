"""Silence around tools that print, warn and log about their own code, which is news for no user."""

import contextlib
import ctypes
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing comes out of what runs inside, of its native code neither; all is as before afterwards."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    nowhere = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.ExitStack() as stack:
            warnings.simplefilter("ignore")
            for descriptor in (1, 2):
                stack.enter_context(_to_nowhere(descriptor))
            stack.enter_context(contextlib.redirect_stdout(nowhere))
            stack.enter_context(contextlib.redirect_stderr(nowhere))
            yield
    finally:
        logging.disable(disabled)


@contextlib.contextmanager
def _to_nowhere(descriptor: int) -> Iterator[None]:
    """What was printed before still arrives, what native code keeps in its buffers goes with the rest."""
    _flush()
    try:
        saved = os.dup(descriptor)
    except OSError:  # closed, as a service's may be
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123  # a device
            os.dup2(nowhere.fileno(), descriptor)
        yield
    finally:
        _flush()
        os.dup2(saved, descriptor)
        os.close(saved)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or none
            stream.flush()
    if sys.platform != "win32":
        ctypes.CDLL(None).fflush(None)
