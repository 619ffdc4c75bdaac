"""Results go to stdout, everything else to stderr. The log level is the only state: --quiet and --verbose set it."""

import functools
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from clf_cli.errors import ClfError, RunError, UsageError
from clf_cli.values.progress import Advance, silent

if TYPE_CHECKING:  # rich takes 30 ms to import, Typer is imported where a command line is read; numpy follows
    from rich.console import Console, RenderableType
    from typer.exceptions import TyperException

    from clf_cli.training.watcher import Watcher
    from clf_cli.values.report import FindingJson, Report

WIDE = 200  # columns of tables that go into a file or a pipe
_log = logging.getLogger("clf_cli")


class _Stderr(logging.Handler):
    """One line per record on whatever sys.stderr is then, so that a live bar moves below it."""

    def emit(self, record: logging.LogRecord) -> None:
        text = visible(self.format(record))
        if record.levelno < logging.WARNING and "rich.console" not in sys.modules and _as_it_stands(text):
            sys.stderr.write(f"{text}\n")  # no bar is there, since that is rich's
            sys.stderr.flush()
            return
        from rich.text import Text

        line = Text(text)
        if record.levelno >= logging.WARNING:
            line = Text.assemble(("Error: " if record.levelno >= logging.ERROR else "Warning: ", "bold yellow"), line)
        _stderr().print(line, soft_wrap=True)


def _as_it_stands(text: str) -> bool:
    """Whether rich would print the line just so: it replaces tabs and cuts off blanks that do not fit."""
    return "\t" not in text and text == text.rstrip()


def start_logging(quiet: bool = False, verbose: bool = False) -> None:
    """Sends the program's log to stderr: warnings only, lines for people, or debug messages too."""
    _log.setLevel(logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO)
    if not any(isinstance(handler, _Stderr) for handler in _log.handlers):
        _log.addHandler(_Stderr())


def say(text: str) -> None:
    """A line for people, not shown with --quiet."""
    _log.info("%s", text)


def warn(text: str) -> None:
    """A line that --quiet shows too."""
    _log.warning("%s", text)


def warn_of(findings: "Iterable[FindingJson]") -> None:
    """Each finding of a report as a line that --quiet shows too."""
    for finding in findings:
        reason = finding["reason"]
        warn(f"{finding['path']}: {reason}." if finding["path"] else sentence(reason))


def visible(text: str) -> str:
    """Names of files and classes steer no terminal: what is not printable is shown as an escape, line breaks stay."""
    return "".join(
        char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode() for char in text
    )


def sentence(text: str) -> str:
    """With a full stop, and a capital letter where it begins with a word and not with the name of a file."""
    first, _, _ = text.partition(" ")
    word = first.strip(",;:").replace("-", "").isalpha()
    return f"{text[:1].upper() if word else text[:1]}{text[1:]}{'' if text.endswith('.') else '.'}"


def publish(report: "Report", as_json: bool, view: str = "table") -> None:
    """The report on stdout: one JSON document, or the table that `view` of render/<kind>.py makes of it."""
    if as_json:
        with delivery():
            sys.stdout.writelines(report.json_parts())
            sys.stdout.write("\n")
        return
    from rich.console import Console

    table = vars(import_module(f"clf_cli.render.{report.kind}"))[view](report.result)
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(width=WIDE)
    with delivery():
        console.print(table)


def write_line(text: str) -> None:
    """A result as it is, without colours or line breaks of our own."""
    with delivery():
        sys.stdout.write(text.rstrip("\n") + "\n")


@contextmanager
def delivery() -> Iterator[None]:
    """A result is either all there or an error (exit 6); a reader that left early is for main to see."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise RunError(f"Cannot write the result to stdout: {error.strerror}.") from error


def is_verbose() -> bool:
    """Whether --verbose is given."""
    return _log.isEnabledFor(logging.DEBUG)


def is_watched() -> bool:
    """Whether a person looks at stderr, so that something that moves makes sense."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and "CI" not in os.environ


@contextmanager
def progress(description: str, total: int | None) -> Iterator[Advance]:
    """A bar on stderr while a person watches and --quiet is not given; else silent."""
    if not is_watched() or not _log.isEnabledFor(logging.INFO):
        with silent(description, total) as advance:
            yield advance
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=_stderr(), transient=True) as bar:
        task = bar.add_task(description, total=total)
        yield lambda count: bar.update(task, advance=count)


def show_error(error: ClfError, command: str) -> None:
    """The message and the next step; a usage error looks like Typer's own while a person watches."""
    from rich.panel import Panel
    from rich.text import Text

    console = _stderr()
    message, hint = visible(error.message), None if error.hint is None else visible(error.hint)
    if isinstance(error, UsageError) and console.is_terminal:
        console.print(f"Try '{command} -h' for help.", style="dim", highlight=False)
        text = message if hint is None else f"{message}\n{hint}"
        console.print(Panel(Text(text), title="Error", title_align="left", border_style="red"))
        return
    console.print(Text.assemble(("Error: ", "bold red"), message), soft_wrap=True)
    if hint is not None:
        console.print(Text(hint), soft_wrap=True)


def show_misuse(error: "TyperException") -> None:
    """A mistake on the command line, as Typer shows it, whose own way imports a Markdown parser first."""
    if type(error).__name__ == "NoArgsIsHelpError":  # the help is its message, and was shown
        return
    from rich.panel import Panel
    from rich.text import Text

    console = _stderr()
    context = getattr(error, "ctx", None)
    if context is not None:
        console.print(Text(context.get_usage(), style="bold"))
        console.print(Text(f"Try '{context.command_path} {context.help_option_names[0]}' for help.", style="dim"))
    message = Text(visible(error.format_message()))
    console.print(Panel(message, title="Error", title_align="left", border_style="red"))


def _stderr() -> "Console":
    """The same one while the environment stays: rich prints above a live bar only what its own console prints."""
    return _console(tuple(os.environ.get(name) for name in ("NO_COLOR", "FORCE_COLOR", "TERM", "COLUMNS")))


@functools.lru_cache(maxsize=1)
def _console(environment: tuple[str | None, ...]) -> "Console":
    from rich.console import Console

    return Console(stderr=True)


def watcher() -> "Watcher":
    """What a training run talks to."""
    from clf_cli.training.watcher import Watcher

    watched = is_watched() and _log.isEnabledFor(logging.INFO)
    return Watcher(say=say, warn=warn, show=show, console=_stderr() if watched else None)


def show(table: "RenderableType") -> None:
    """A table for people on stderr, not shown with --quiet."""
    if _log.isEnabledFor(logging.INFO):
        from rich.console import Console

        console = _stderr()
        wide = console.is_terminal or "COLUMNS" in os.environ
        (console if wide else Console(stderr=True, width=WIDE)).print(table)
