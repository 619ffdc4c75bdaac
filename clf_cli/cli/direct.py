"""`clf predict` without Typer, whose import takes 30 ms: a command line is read here where nothing in it is unusual.

Whatever else stands there, mistakes and calls for help among it, is left to Typer. A test holds the table of
parameters, and what becomes of command lines, against it.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

from clf_cli.cli.coercion import NOT_PLAIN, plain

_ASKED: Mapping[str, Any] = {  # the type of each parameter of `clf predict` that is an option
    "recursive": bool,
    "null": bool,
    "written": Literal["table", "csv", "jsonl"],
    "top": int,
    "calibration": bool,
    "labels": Path,
    "preprocess": Path,
    "as_json": bool,
    "config": Path,
    "quiet": bool,
    "verbose": bool,
}
_FLAGS: Mapping[str, tuple[str, bool]] = {  # the parameter that a flag sets, and the value of a switch
    "--recursive": ("recursive", True),
    "-r": ("recursive", True),
    "--null": ("null", True),
    "-0": ("null", True),
    "--format": ("written", True),
    "--top": ("top", True),
    "-k": ("top", True),
    "--calibration": ("calibration", True),
    "--no-calibration": ("calibration", False),
    "--labels": ("labels", True),
    "--preprocess": ("preprocess", True),
    "--json": ("as_json", True),
    "--config": ("config", True),
    "-c": ("config", True),
    "--quiet": ("quiet", True),
    "-q": ("quiet", True),
    "--verbose": ("verbose", True),
    "-v": ("verbose", True),
}
_FREE = SimpleNamespace(  # what Typer is told of a parameter that has no bounds
    parser=None, clamp=None, min=None, max=None, path_type=None, resolve_path=False, exists=False, writable=False,
    readable=True, file_okay=True, dir_okay=True,
)  # fmt: skip
_COUNTED = SimpleNamespace(**vars(_FREE) | {"min": 1})  # --top


@dataclass
class Read:
    """A command line: parameters that are given, settings by path, and the words that are no options."""

    asked: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)


def direct(arguments: Sequence[str]) -> bool:
    """Whether the command line was one of `clf predict` with nothing unusual, and has been done. Raises ClfError."""
    if arguments[:1] != ["predict"] or "_CLF_COMPLETE" in os.environ or sys.platform == "win32":
        return False  # on Windows, Typer expands wildcards
    read = read_plainly(arguments[1:])
    if read is None:
        return False
    from clf_cli.cli.console import start_logging
    from clf_cli.cli.invocation import invoked
    from clf_cli.cli.predicting import Asked, predict_named
    from clf_cli.cli.resolving import resolved_settings

    asked = dict(read.asked)
    config, quiet, verbose = asked.pop("config", None), asked.pop("quiet", False), asked.pop("verbose", False)

    def work() -> None:
        start_logging(quiet, verbose)
        given = {path: read.settings[path] for path in _settings().values() if path in read.settings}
        resolved = resolved_settings("predict", given, config)
        predict_named(resolved, Asked(Path(read.words[0]), read.words[1:], **asked))

    invoked(work)
    return True


def read_plainly(arguments: Sequence[str]) -> Read | None:
    """None where Typer has to say what is meant."""
    read, rest = Read(), list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "-" or not word.startswith("-"):
            read.words.append(word)
        elif not _took(read, word, rest):
            return None
    if not read.words or "" in read.words or plain(Path, read.words[0], _FREE) is NOT_PLAIN:
        return None
    return read


def _took(read: Read, word: str, rest: list[str]) -> bool:
    """Whether the option and its value, the next of `rest`, are plain."""
    flag, glued, value = word.partition("=")
    if glued and not flag.startswith("--"):
        return False
    name, switched = _FLAGS.get(flag, ("", False))
    if _ASKED.get(name) is bool:
        read.asked[name] = switched
        return not glued
    if not glued:
        value = rest.pop(0) if rest else ""
    if not value or value.startswith("-"):
        return False
    if name:
        read.asked[name] = plain(_ASKED[name], value, _COUNTED if name == "top" else _FREE)
        return read.asked[name] is not NOT_PLAIN
    path = _settings().get(flag)
    if path is not None:
        read.settings[path] = value
    return path is not None


def _settings() -> Mapping[str, str]:
    """The settings of the command by flag; switches and lists are left to Typer."""
    from clf_cli.settings.option import options_of

    options = [option for option in options_of("predict") if not (option.is_switch or option.is_list)]
    return {flag: option.path for option in options for flag in option.flags}
