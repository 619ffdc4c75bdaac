"""Sections as pydantic models: they judge the values that are not plain, and make the JSON schema."""

import json
from collections.abc import Mapping
from functools import reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pydantic

from clf_cli.settings.plain import Stated
from clf_cli.settings.section import Section

_TWINS: dict[type[Section], type[pydantic.BaseModel]] = {}


def twin(section: type[Section]) -> type[pydantic.BaseModel]:
    """The model with the same name, keys, bounds, defaults and descriptions."""
    if section not in _TWINS:
        _TWINS[section] = _twin(section)
    return _TWINS[section]


def _twin(section: type[Section]) -> type[pydantic.BaseModel]:
    fields: dict[str, Any] = {}
    for name, declared in section.model_fields.items():
        default = declared.default
        if isinstance(default, Section):
            kind, default = twin(type(default)), twin(type(default))()
        else:
            kind = _converted(declared.whole)
        fields[name] = (kind, pydantic.Field(default, description=declared.description or None))
    config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    model: type[pydantic.BaseModel] = pydantic.create_model(
        section.__name__, __config__=config, __doc__=section.__doc__, **fields
    )
    return model


def judged(section: type[Section], values: Any) -> dict[str, Any]:
    """The values that are given, converted. Raises ValidationError."""
    given = {name: _given(value) for name, value in values.items()} if isinstance(values, Mapping) else values
    return _taken(section, twin(section).model_validate(given))


def judged_strictly(section: type[Section], table: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a TOML table, whose types are not converted. Raises ValidationError."""
    return _taken(section, twin(section).model_validate_json(json.dumps(table, default=str), strict=True))


def _given(value: Any) -> Any:
    return value.model_dump() if isinstance(value, Section) else value


def _taken(section: type[Section], model: pydantic.BaseModel) -> dict[str, Any]:
    taken = {}
    for name in section.model_fields:
        if name in model.model_fields_set:
            value, default = getattr(model, name), section.model_fields[name].default
            taken[name] = type(default)(**_taken(type(default), value)) if isinstance(default, Section) else value
    return taken


def _converted(annotation: Any) -> Any:
    """The type with bounds as pydantic knows them."""
    origin, members = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        bounds = [pydantic.Field(**item.bounds) for item in annotation.__metadata__ if isinstance(item, Stated)]
        kind = _converted(annotation.__origin__)
        return reduce(lambda inner, bound: Annotated[inner, bound], bounds, kind)
    if origin in (Union, UnionType):
        return reduce(or_, (_converted(member) for member in members))
    if origin is None or origin is Literal:
        return annotation
    return origin[tuple(_converted(member) for member in members)]
