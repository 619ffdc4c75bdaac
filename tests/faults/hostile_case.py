"""One hostile input: how it is made, the command line that meets it, and the end that is expected."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clf_cli.values.run_dir import RunDir

Build = Callable[[Path, RunDir], list[Any]]  # (an empty folder, a trained run) -> the arguments of clf
RIGHT, FOUND, USAGE, DATA, MODEL = 0, 1, 2, 3, 4


@dataclass(frozen=True)
class Case:
    """`code` is the exit code, `words` stand in what is printed. With code 0 the answer is right and complete, or,
    where `skipped`, the input is counted as unreadable and the sound one beside it is answered."""

    build: Build
    code: int
    words: str
    skipped: bool = False
