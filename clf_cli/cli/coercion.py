"""Values of the command line as Typer coerces them, without the import of pydantic where a value is plain."""

import os
import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

NOT_PLAIN: Any = object()
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")


class Spared:
    """Stands in for a parameter's coercion, and imports Typer's own only for a value that needs it."""

    def __init__(self, parameter: Any) -> None:
        self._parameter = parameter

    def itself(self) -> "Spared":
        return self

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """What `RuntimeParam.coerce` of Typer returns."""
        parameter = self._parameter
        several = parameter.multiple or parameter.nargs == -1
        if value is None:
            return () if several else None
        described = parameter.type_descriptor
        found = plain(described.annotation, value, described.parameter_info)
        if found is NOT_PLAIN or several != isinstance(found, list):
            return type(parameter).get_runtime_param(parameter).coerce(value, param=param, ctx=ctx)
        return found


def spared(parameters: list[Any]) -> list[Any]:
    """The parameters, coerced so."""
    for parameter in parameters:
        parameter.get_runtime_param = Spared(parameter).itself
    return parameters


def plain(kind: Any, value: Any, info: Any) -> Any:
    """The value as this type; NOT_PLAIN where Typer has to say."""
    if info.parser is not None:
        return NOT_PLAIN
    if get_origin(kind) is list and isinstance(value, (list, tuple)):
        items = [plain(get_args(kind)[0], item, info) for item in value]
        return NOT_PLAIN if any(item is NOT_PLAIN for item in items) else items
    if kind in (int, Path):
        return _number(value, info) if kind is int else _path(value, info)
    fits = type(value) is kind if kind in (bool, str) else _is_word(kind, value)
    return value if fits else NOT_PLAIN


def _is_word(kind: Any, value: Any) -> bool:
    return get_origin(kind) is Literal and type(value) is str and value in get_args(kind)


def _number(value: Any, info: Any) -> Any:
    if type(value) is str and _WHOLE.fullmatch(value):
        value = int(value)
    if type(value) is not int or info.clamp:
        return NOT_PLAIN
    low, high = info.min, info.max
    within = (low is None or value >= low) and (high is None or value <= high)
    return value if within else NOT_PLAIN


def _path(value: Any, info: Any) -> Any:
    """Of an option that asks for no more than that what is there can be read."""
    asks = info.path_type is not None or info.resolve_path or info.exists or info.writable
    if asks or not (info.file_okay and info.dir_okay) or not isinstance(value, (str, Path)) or "\0" in str(value):
        return NOT_PLAIN
    path = Path(value)
    unreadable = info.readable and os.path.exists(path) and not os.access(path, os.R_OK)  # noqa: PTH110 - it raises nothing
    return NOT_PLAIN if unreadable else path
