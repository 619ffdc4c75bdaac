"""Failures that a person can act on: each names the thing, the place and the next step, and has its exit code."""


class ClfError(Exception):
    """Base of every expected failure; `hint` is the next step, printed on a line of its own."""

    exit_code = 70

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class CheckFailedError(ClfError):
    """A check ran and its answer is no."""

    exit_code = 1


class UsageError(ClfError):
    """The command line, a variable or a settings file cannot be used."""

    exit_code = 2


class DataError(ClfError):
    """The data set cannot be used."""

    exit_code = 3


class ModelError(ClfError):
    """A run, checkpoint, weights or ONNX file cannot be used."""

    exit_code = 4


class ExportError(ClfError):
    """Our own export failed or did not pass its check, or an optional part is not installed."""

    exit_code = 5


class RunError(ClfError):
    """The run could not go on: divergence, out of memory, disk full, unwritable output."""

    exit_code = 6


class UnwritableError(RunError):
    """A file could not be written: disk full, read-only, a file in a folder's place."""


class StoppedRunError(ClfError):
    """A signal (default: SIGTERM) ended a run in order; the exit code is the shell's for it: 128 and its number."""

    exit_code = 143

    def __init__(self, message: str, hint: str | None = None, number: int = 15) -> None:
        super().__init__(message, hint)
        self.exit_code = 128 + number


def first_line(error: BaseException) -> str:
    """Of the message; the name of the type where there is none."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]
