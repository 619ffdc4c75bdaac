"""What a setting takes, in words: for messages, help texts and the settings page. Read from its JSON schema."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from clf_cli.settings.root import SECTIONS, Setting

_WORDS = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "text"}
_SHORT = {"integer": "INT", "number": "NUMBER", "boolean": "BOOL", "string": "TEXT"}
_SIGNS = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}


def expected(setting: Setting) -> str:
    """`a whole number > 0, or auto`."""
    kinds = _kinds(setting)
    if any("pattern" in kind for kind in kinds):  # such a description says what the setting takes
        description = setting.field.description or ""
        return description[:1].lower() + description[1:].rstrip(".")
    return ", or ".join(_in_words(kind) for kind in kinds)


def metavar(setting: Setting) -> str:
    """What the help calls the value: `NUMBER`, `adamw|sgd`, `INT|auto`, or the name that the setting declares."""
    if setting.marker.metavar:
        return setting.marker.metavar
    return "|".join(
        "|".join(_choices(kind)) or ("PATH" if _is_path(kind) else _SHORT[_type(kind)]) for kind in _kinds(setting)
    )


def bounds(setting: Setting) -> str:
    """`> 0`, or an empty string."""
    return ", ".join(bound for kind in _kinds(setting) for bound in _bounds(kind))


def choices(setting: Setting) -> tuple[str, ...]:
    """The words that the setting takes; beside them it may take numbers."""
    return tuple(choice for kind in _kinds(setting) for choice in _choices(kind))


def shown(value: Any) -> str:
    """A value as flags and variables spell it; None is an empty string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, (list, tuple)):
        return ",".join(shown(item) for item in value)
    return str(value)


@cache
def _schema(section: str) -> Mapping[str, Any]:
    properties: Mapping[str, Any] = SECTIONS[section].model_json_schema()["properties"]
    return properties


def _kinds(setting: Setting) -> list[Mapping[str, Any]]:
    """The alternatives of its type, null left out."""
    schema = _schema(setting.section)[setting.key]
    return [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]


def _choices(kind: Mapping[str, Any]) -> tuple[str, ...]:
    """Of a list, those of its items."""
    item = kind.get("items", kind)
    return tuple(item.get("enum", [item["const"]] if "const" in item else []))


def _bounds(kind: Mapping[str, Any]) -> list[str]:
    """Of a list, those of its items."""
    item = kind.get("items", kind)
    return [f"{sign} {item[name]}" for name, sign in _SIGNS.items() if name in item]


def _is_path(kind: Mapping[str, Any]) -> bool:
    return kind.get("format") == "path"


def _type(kind: Mapping[str, Any]) -> str:
    """Of a list, the type of its items."""
    return str(kind.get("items", kind)["type"])


def _in_words(kind: Mapping[str, Any]) -> str:
    words = "a path" if _is_path(kind) else _WORDS[_type(kind)]
    if choices := _choices(kind):
        words = " or ".join(filter(None, [", ".join(choices[:-1]), choices[-1]]))
    words = (
        " and ".join([f"{words} {bound}" if number == 0 else bound for number, bound in enumerate(_bounds(kind))])
        or words
    )
    return f"a list of values, each {words}" if kind.get("type") == "array" else words
