"""Whether values that came from a file have the types that their dataclass declares."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def typed(value: T) -> T:
    """`value`, a dataclass. Raises TypeError naming the first field in it, or in what it holds, that is of another type
    than declared; True is no number, a whole number may stand for a float.
    """
    _check(value, type(value), type(value).__name__)
    return value


def _check(value: Any, hint: Any, where: str) -> None:
    hint = _meant(hint)
    if not _fits(value, hint):
        shown = repr(value)
        raise TypeError(f"{where} is {shown if len(shown) <= 60 else shown[:57] + '...'}")
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        _check(value, next(part for part in parts if _fits(value, part)), where)
    elif is_dataclass(value) and not isinstance(value, type):
        hints = _hints(type(value))
        for field in fields(value):
            _check(getattr(value, field.name), hints[field.name], field.name)
    elif origin is tuple:
        inner = parts[:1] * len(value) if parts[1:] == (...,) else parts
        if len(inner) != len(value):
            raise TypeError(f"{where} has {len(value)} values")
        for one, part in zip(value, inner, strict=True):
            _check(one, part, where)
    elif isinstance(value, Mapping) and len(parts) == 2:
        for key, one in value.items():
            _check(key, parts[0], where)
            _check(one, parts[1], where)


def _fits(value: Any, hint: Any) -> bool:
    """Of the outermost type."""
    hint = _meant(hint)
    origin = get_origin(hint)
    if hint is Any or isinstance(hint, TypeVar):
        return True
    if hint is None or hint is NoneType:
        return value is None
    if origin is Literal:
        return isinstance(value, str | int) and value in get_args(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, part) for part in get_args(hint))
    if hint in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, (int, float) if hint is float else origin or hint)


def _meant(hint: Any) -> Any:
    """What an alias stands for: NumPy's NDArray is one from 2.5 on."""
    parts, alias = get_args(hint), get_origin(hint) or hint
    if not hasattr(alias, "__value__"):
        return hint
    value = alias.__value__
    return _meant(value[parts] if parts and getattr(value, "__parameters__", ()) else value)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
