"""Settings with the source of each value, and their TOML form."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # it imports pydantic, which --help does without
    from clf_cli.settings.root import Settings

COMMAND_LINE = "command line"
# a repeat of a run does not take them over
ONE_START = ("train.name", "train.resume", "train.init_from", "train.allow_drift")


@dataclass(frozen=True)
class Resolved:
    """What a command runs with. `origin` maps `optim.lr` to `command line`, `CLF_OPTIM__LR` or a file's name;
    a setting that is absent has its default. `notes` are lines to say to a person."""

    settings: "Settings"
    origin: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def to_toml(self) -> str:
        """A settings file that repeats the run, the source of each value as a comment."""
        return to_toml(self.settings, self.origin)

    def given(self, path: str) -> bool:
        """Whether `optim.lr` came from the command line."""
        return self.origin.get(path) == COMMAND_LINE


def sources(resolved: Resolved) -> dict[str, str]:
    """The origin of each setting of a run whose start has put values in the place of every `auto` that it decides."""
    settings = resolved.settings
    found = dict(resolved.origin)
    if settings.optim.batch_size == "auto":
        found |= dict.fromkeys(("optim.batch_size", "optim.accumulate"), "--batch-size auto")
    if settings.compute.precision == "auto":
        found["compute.precision"] = "--precision auto"
    if settings.compute.compile == "auto":
        found["compute.compile"] = "--compile auto"
    return found


def left_aside(resolved: Resolved, fixed: Mapping[str, Any]) -> tuple[str, ...]:
    """One line for each setting of `fixed` (`model.arch` to the model's own value) that a file or variable sets
    otherwise: a command on a model takes it from the model. `auto` and what is not set agree with any value."""
    tables = dict(resolved.settings)
    lines = []
    for path, own in fixed.items():
        section, _, key = path.partition(".")
        value = dict(tables[section])[key]
        if path in resolved.origin and not resolved.given(path) and value not in (own, "auto", None):
            lines.append(f"Not used: {path} = {value} ({resolved.origin[path]}). The model has {own}.")
    return tuple(lines)


def to_toml(settings: "Settings", origin: Mapping[str, str], paths: Collection[str] | None = None) -> str:
    """TOML of the settings in `paths` (default: all), each with its source. What is not set, and what a repeat must not
    take over (name, resume, allow_drift, init_from), stands as a comment."""
    from clf_cli.settings.root import all_settings

    sections: dict[str, list[str]] = {}
    for setting in all_settings():
        value = dict(dict(settings)[setting.section])[setting.key]
        if paths is not None and setting.path not in paths:
            continue
        line = f"{setting.key} = {_toml(value)}  # {_comment(origin.get(setting.path, 'default'))}"
        if value is None:
            line = f"# {setting.key} is not set"
        elif setting.path in ONE_START:
            line = f"# {line}"
        sections.setdefault(setting.section, []).append(line)
    return "\n".join("\n".join([f"[{name}]", *lines, ""]) for name, lines in sections.items())


def _toml(value: Any) -> str:
    """Scalars and arrays of JSON are TOML too, save one control character that JSON leaves as it is."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(item) for item in value)}]"
    plain = value.as_posix() if isinstance(value, Path) else value
    return json.dumps(plain, ensure_ascii=False, allow_nan=False).replace("\x7f", "\\u007f")


def _comment(text: str) -> str:
    """`text` on one line: a comment ends at a line break and may hold no control character."""
    return "".join(character if character.isprintable() else "?" for character in text)
