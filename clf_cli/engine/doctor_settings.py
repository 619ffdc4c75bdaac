"""What files and variables set, and whether it can be used."""

import os
from collections.abc import Iterator
from pathlib import Path

from clf_cli.engine.doctor_check import Check
from clf_cli.errors import UsageError
from clf_cli.settings.load import resolve
from clf_cli.settings.nearest import PREFIX
from clf_cli.settings.root import Settings

GROUP = "settings"
READ_TOO = ("CUDA_VISIBLE_DEVICES", "HF_HOME", "HF_HUB_OFFLINE", "OMP_NUM_THREADS", "OMP_WAIT_POLICY")
_NO_FILE = "none: neither clf.toml nor [tool.clf] in pyproject.toml is here"


def settings_checks() -> tuple[tuple[Check, ...], Settings]:
    """The lines, and the settings of a training without flags: the defaults when what is set cannot be used."""
    try:
        resolved = resolve("train", {})
    except UsageError as error:
        mistakes = error.message.splitlines()
        last = mistakes[-1]
        lines = (Check(GROUP, "mistake", line, "problem", error.hint if line is last else None) for line in mistakes)
        return (*lines, *_variables(mistakes)), Settings()
    sources = dict.fromkeys(source for source in resolved.origin.values() if not source.startswith(PREFIX))
    file = ", ".join(sources) or ("clf.toml sets nothing" if Path("clf.toml").is_file() else _NO_FILE)
    notes = (Check(GROUP, "file", note, "warning") for note in resolved.notes)
    return (Check(GROUP, "file", file), *notes, *_variables([])), resolved.settings


def _variables(mistakes: list[str]) -> Iterator[Check]:
    """CLF_* and others that clf reads, with their values; those that are wrong have a line of their own."""
    wrong = {line.partition(":")[0] for line in mistakes}
    found = {name: value for name, value in sorted(os.environ.items()) if value and name not in wrong}
    ours = [f"{name}={value!r}" for name, value in found.items() if name.startswith(PREFIX)]
    if ours or not wrong:
        yield Check(GROUP, "variables", ", ".join(ours) or f"no {PREFIX}* is set")
    others = [f"{name}={found[name]!r}" for name in READ_TOO if name in found]
    if others:
        yield Check(GROUP, "other variables", ", ".join(others))
