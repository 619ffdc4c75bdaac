"""Reads a saved settings file back with the source of every value, for people who ask where one came from."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clf_cli.errors import ModelError
from clf_cli.reading import SMALL, read_text
from clf_cli.settings.kinds import shown
from clf_cli.settings.root import all_settings

_SECTION = re.compile(r"\[(\w+)\]")
_LINE = re.compile(r"(?:# )?(\w+) = (.*)  # (.*?)")
_UNSET = re.compile(r"# (\w+) is not set")
_DECLARED = {setting.path: setting for setting in all_settings()}


@dataclass(frozen=True)
class StoredSetting:
    """One line of a run's settings.toml; `value` and `default` as texts, empty where nothing is set."""

    section: str
    key: str
    value: str
    default: str | None  # None: this clf does not know the setting
    source: str

    @property
    def path(self) -> str:
        return f"{self.section}.{self.key}"

    @property
    def changed(self) -> bool:
        """Whether it differs from the default, whoever set it."""
        return self.value != self.default


def stored_settings(file: Path) -> tuple[StoredSetting, ...]:
    """Every setting of a file that `to_toml` wrote, in its order, those that a repeat does not take over too.

    Raises ModelError (exit 4) when the file is missing or its values are not TOML.
    """
    try:
        return tuple(_settings(read_text(file, SMALL)))
    except (OSError, ValueError, RecursionError) as error:  # TOML's and UTF-8's errors are ValueErrors
        raise ModelError(f"{file} cannot be read: {error}.", "It is part of a run; put it back as it was.") from error


def _settings(text: str) -> Iterator[StoredSetting]:
    section = ""
    for line in text.split("\n"):
        if found := _SECTION.fullmatch(line):
            section = found[1]
        elif found := _UNSET.fullmatch(line):
            yield _stored(section, found[1], None, "default")
        elif found := _LINE.fullmatch(line):
            yield _stored(section, found[1], tomllib.loads(f"value = {found[2]}")["value"], found[3])


def _stored(section: str, key: str, value: Any, source: str) -> StoredSetting:
    declared = _DECLARED.get(f"{section}.{key}")
    return StoredSetting(section, key, shown(value), None if declared is None else shown(declared.default), source)
