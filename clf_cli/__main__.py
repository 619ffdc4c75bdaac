"""The process: runs the command line, turns what it raises into a message and an exit code."""

import atexit
import contextlib
import gc
import io
import os
import sys
from collections.abc import Sequence

from clf_cli import __version__
from clf_cli.errors import ClfError, RunError
from clf_cli.signals import Stop, listening, received

BUG, INTERRUPTED, BROKEN_PIPE = 70, 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `clf` with `arguments` (default: the process's own) and returns its exit code (docs/design.md, 2.5)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        gc.disable()  # importing leaves no garbage; the command that is called has it on again (cli/app.py)
    with listening(stays=arguments is None):
        try:
            code = _answered(given)
        except Stop as stop:
            code = _stopped(stop)
        if arguments is None:
            atexit.register(_leave, code, atexit._ncallbacks())  # last, so that it is called first
        return code


def _leave(code: int, before: int) -> None:
    """Ends the process as Python does, threads waited for and exit functions called, but does not take apart what goes
    with it: that takes 1.1 to 1.6 CPU seconds after torch 2.15, and triton would tell of leaks in what stays. `before`
    is the number of exit functions that were there; where others came since, which are called first, Python goes on."""
    if atexit._ncallbacks() != before + 1:
        return
    atexit.unregister(_leave)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def _answered(given: list[str]) -> int:
    _let_idle_threads_sleep()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # JSON is UTF-8 on every platform
    try:
        code = _run(given)
    except ClfError as error:
        from clf_cli.cli.console import show_error

        show_error(error, _name_of(given))
        code = error.exit_code
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:
        number = received()
        if number is not None:  # native code turned it into an error of its own
            raise Stop(number) from error
        code = _told_memory(error) or _tell_bug()
    return _flush() or code


def _stopped(stop: Stop) -> int:
    with contextlib.suppress(OSError):
        sys.stderr.write(f"Stopped by {stop}. No file is left half written: the same command starts again.\n")
        sys.stderr.flush()
    _flush()
    return stop.exit_code


def _told_memory(error: Exception) -> int | None:
    """The exit code of an error that says that memory ran out, which is told; None for another. A library that cannot
    be loaded for want of it raises an ImportError."""
    if not isinstance(error, MemoryError) and "failed to map segment" not in str(error):
        return None
    library, _, unmapped = str(error).partition(": failed to map segment")
    what = f" while {library} was loaded, so before any batch" if unmapped else ""
    sys.stderr.write(f"Error: Out of memory{what}.\nFree some, or raise the limit that holds here (ulimit -v).\n")
    return RunError.exit_code


def _tell_bug() -> int:
    import traceback

    traceback.print_exc()
    sys.stderr.write(
        f"This is a bug in clf {__version__}, not a mistake of yours. Please report it with the lines above, the "
        "command that you ran and the output of `clf config show`.\n"
    )
    return BUG


def _run(arguments: list[str]) -> int:
    from clf_cli.cli.direct import direct

    try:
        if direct(arguments):
            return 0
    except BrokenPipeError:
        return BROKEN_PIPE
    from clf_cli.cli.app import run  # Typer takes a moment, in which a signal may come

    try:
        return run(arguments)
    except SystemExit as done:
        if isinstance(done.__context__, BrokenPipeError):
            return BROKEN_PIPE
        return done.code if isinstance(done.code, int) else int(done.code is not None)


def _let_idle_threads_sleep() -> None:
    """OpenMP's threads spin long while they wait, by default, and starve each other beside other work.

    Two threads on two cores, resnet18 at 96 px: alone 176 images per second with the default and 168 with a short spin,
    beside one busy process 61 and 82 (benchmarks/thread_wait.py). Read when torch is imported.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def _flush() -> int:
    """0, or why what is still in the buffer did not reach its reader; Python must not try again on its way out."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = BROKEN_PIPE
    except OSError:
        code = RunError.exit_code
    else:
        return 0
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _name_of(arguments: list[str]) -> str:
    from clf_cli.cli.app import COMMAND_TABLE

    commands = [name for name, _, _ in COMMAND_TABLE]
    return " ".join(["clf", *(argument for argument in arguments[:1] if argument in commands)])


if __name__ == "__main__":
    sys.exit(main())
