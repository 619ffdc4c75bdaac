"""Settings as the help shows them, without pydantic: `options.json` has what their declarations say.

A command's help takes 0.1 CPU seconds less so. `python -m clf_cli.settings.listing` writes the file and a test compares
it; where it is not of these declarations, they are read instead.
"""

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from clf_cli.settings.commands import flags_of, shown_by

LISTING = Path(__file__).with_name("options.json")
_DECLARATIONS = ("root.py", "section.py", "sections.py", "data_sections.py", "onnx_sections.py", "kinds.py")


@dataclass(frozen=True)
class Option:
    """One setting of one command. `default` is the flag's own text, None where nothing is set; `names` are declared
    flags, else the key is the flag, after the section's name if it is `prefixed`."""

    section: str
    title: str
    key: str
    names: tuple[str, ...]
    is_switch: bool
    is_list: bool
    metavar: str
    choices: tuple[str, ...]
    bounds: str
    default: str | bool | None
    description: str
    prefixed: bool = False

    @property
    def path(self) -> str:
        return f"{self.section}.{self.key}"

    @property
    def flags(self) -> tuple[str, ...]:
        """Names of the option in Typer's spelling."""
        return flags_of(self.section, self.key, self.names, self.is_switch, self.prefixed)

    @property
    def flag(self) -> str:
        """The first name, as messages say it."""
        return self.flags[0].partition("/")[0]


Options = Mapping[str, Mapping[str, Option]]  # by section and key


def options_of(command: str) -> Iterator[Option]:
    """The settings that `command` shows, in the order of COMMANDS."""
    options = _options()
    for section, key, prefixed in shown_by(command, options):
        yield replace(options[section][key], prefixed=prefixed)


def listed() -> Options | None:
    """What the file says; None where it is missing, or of other declarations than these."""
    try:
        content = json.loads(LISTING.read_bytes())
    except (OSError, ValueError):
        return None
    if declarations() not in (None, content["declarations"]):
        return None
    return {
        section: {
            key: Option(section, table["title"], key, **{name: _read(value) for name, value in row.items()})
            for key, row in table["options"].items()
        }
        for section, table in content["sections"].items()
    }


def declarations() -> int | None:
    """A checksum of the files that declare settings; None where they are not there, beside their bytecode alone."""
    total = 0
    try:
        for name in _DECLARATIONS:
            total = zlib.crc32(LISTING.with_name(name).read_bytes().replace(b"\r\n", b"\n"), total)
    except OSError:
        return None
    return total


def _read(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@cache
def _options() -> Options:
    found = listed()
    if found is None:
        from clf_cli.settings.listing import declared  # pydantic

        found = declared()
    return found
