"""The process: runs the command line, turns what it raises into a message and an exit code."""

import io
import os
import sys
import traceback
from collections.abc import Sequence

from clf_cli import __version__
from clf_cli.cli.app import COMMAND_TABLE, app
from clf_cli.cli.console import show_error
from clf_cli.errors import ClfError, RunError

BUG, INTERRUPTED, BROKEN_PIPE = 70, 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `clf` with `arguments` (default: the process's own) and returns its exit code (docs/design.md, 2.5)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # JSON is UTF-8 on every platform
    try:
        code = _run(given)
        return _flush() or code
    except ClfError as error:
        show_error(error, _name_of(given))
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception:  # noqa: BLE001  # the last resort: a bug must look like one
        traceback.print_exc()
        print(  # noqa: T201
            f"This is a bug in clf {__version__}, not a mistake of yours. Please report it with the lines above, the "
            "command that you ran and the output of `clf config show`.",
            file=sys.stderr,
        )
        return BUG


def _run(arguments: list[str]) -> int:
    """Typer prints its own usage errors and always ends with SystemExit."""
    try:
        app(arguments, prog_name="clf")
    except SystemExit as done:
        if isinstance(done.__context__, BrokenPipeError):
            return BROKEN_PIPE
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    return 0


def _flush() -> int:
    """What is still in the buffer must reach the reader before the process may call itself done."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more on its way out
        return BROKEN_PIPE
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise RunError(f"Cannot write the result: {error.strerror}.") from error
    return 0


def _name_of(arguments: list[str]) -> str:
    commands = [name for name, _, _ in COMMAND_TABLE]
    return " ".join(["clf", *(argument for argument in arguments[:1] if argument in commands)])


if __name__ == "__main__":
    sys.exit(main())
