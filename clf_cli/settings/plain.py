"""Values that are plainly of their declared type. What is not plain may still be right: settings/judge.py says."""

import re
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

NOT_PLAIN: Any = object()
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?(e-?[0-9]{1,2})?")
_SWITCH = {"true": True, "false": False}


class Stated:
    """What a declaration says of a setting: its default and description or, inside `Annotated`, bounds of a type."""

    def __init__(self, default: Any, description: str, bounds: dict[str, Any]) -> None:
        self.default = default
        self.description = description
        self.bounds = bounds

    def holds(self, value: Any) -> bool:
        """Whether the value is within the bounds."""
        return all(_HOLDS[name](value, bound) for name, bound in self.bounds.items())


def Field(  # noqa: N802 - as pydantic's, by which it is judged
    *, default: Any = None, description: str = "", **bounds: float | str
) -> Any:
    """A `Stated`; a bound is ge, gt, le, lt, pattern or min_length."""
    unknown = bounds.keys() - _HOLDS.keys()
    assert not unknown, unknown
    return Stated(default, description, bounds)


_HOLDS: dict[str, Any] = {
    "ge": lambda value, bound: value >= bound,
    "gt": lambda value, bound: value > bound,
    "le": lambda value, bound: value <= bound,
    "lt": lambda value, bound: value < bound,
    "pattern": lambda value, bound: value.isascii() and value.isprintable() and re.search(bound, value),
    "min_length": lambda value, bound: len(value) >= bound,
}


def plain(annotation: Any, value: Any, texts: bool) -> Any:
    """`value` as pydantic would give it for this type, where that needs no judge; else NOT_PLAIN.

    With `texts` numbers and switches may be spelt as texts.
    """
    origin = get_origin(annotation)
    if origin is Annotated:
        found = plain(annotation.__origin__, value, texts)
        bounds = (item for item in annotation.__metadata__ if isinstance(item, Stated))
        return found if found is NOT_PLAIN or all(one.holds(found) for one in bounds) else NOT_PLAIN
    if origin in (Union, UnionType):
        members = [found for one in get_args(annotation) if (found := plain(one, value, texts)) is not NOT_PLAIN]
        return members[0] if len(members) == 1 else NOT_PLAIN
    if origin is Literal:
        return value if type(value) is str and value in get_args(annotation) else NOT_PLAIN
    if origin is tuple:
        return _items(get_args(annotation), value, texts)
    reads = _READS.get(annotation)
    return NOT_PLAIN if reads is None else reads(value, texts)


def _items(kinds: tuple[Any, ...], value: Any, texts: bool) -> Any:
    if type(value) not in (tuple, list) or len(kinds) != 2 or kinds[1] is not ...:
        return NOT_PLAIN
    items = tuple(plain(kinds[0], item, texts) for item in value)
    return NOT_PLAIN if any(item is NOT_PLAIN for item in items) else items


def _whole(value: Any, texts: bool) -> Any:
    if texts and type(value) is str and _WHOLE.fullmatch(value):
        return int(value)
    return value if type(value) is int else NOT_PLAIN


def _number(value: Any, texts: bool) -> Any:
    if type(value) is int and abs(value) < 1 << 53:
        return float(value)
    if texts and type(value) is str and _NUMBER.fullmatch(value):
        return float(value)
    return value if type(value) is float and abs(value) < float("inf") else NOT_PLAIN


def _switch(value: Any, texts: bool) -> Any:
    if texts and type(value) is str:
        return _SWITCH.get(value, NOT_PLAIN)
    return value if type(value) is bool else NOT_PLAIN


def _text(value: Any, _: bool) -> Any:
    return value if type(value) is str else NOT_PLAIN


def _path(value: Any, _: bool) -> Any:
    if type(value) is str:
        return Path(value)
    return value if isinstance(value, Path) else NOT_PLAIN


def _nothing(value: Any, _: bool) -> Any:
    return None if value is None else NOT_PLAIN


_READS: dict[Any, Any] = {
    int: _whole,
    float: _number,
    bool: _switch,
    str: _text,
    Path: _path,
    type(None): _nothing,
}
