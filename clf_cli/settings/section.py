"""What a group of settings is, and the types that several share.

Sections are classes of ours. A value that is plainly what its declaration asks for is taken as it stands
(settings/plain.py); pydantic, whose import takes 0.1 CPU seconds, judges all others (settings/judge.py).
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import FrozenInstanceError, dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, Self, Union, dataclass_transform, get_args, get_origin

from clf_cli.settings.plain import NOT_PLAIN, Field, Stated, plain


@dataclass(frozen=True)
class Flag:
    """Names of an option that is not `--key`, in Typer's spelling, and what its value is called in the help."""

    names: tuple[str, ...] = ()
    metavar: str | None = None


class Declared:
    """One key of a section: its type, what stands beside the type in `Annotated`, default and description."""

    def __init__(self, annotation: Any, field: Any) -> None:
        annotated = get_origin(annotation) is Annotated
        self.annotation: Any = annotation.__origin__ if annotated else annotation
        self.metadata: tuple[Any, ...] = annotation.__metadata__ if annotated else ()
        self.whole: Any = annotation
        self.default: Any = field.default if isinstance(field, Stated) else field
        self.description: str = field.description if isinstance(field, Stated) else ""


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(Field,))
class Section:
    """A frozen group of settings; unknown keys are errors. Its methods are named and work as pydantic's."""

    title: ClassVar[str] = ""
    model_fields: ClassVar[Mapping[str, Declared]] = {}

    def __init_subclass__(cls) -> None:
        own = {
            name: Declared(annotation, vars(cls)[name])
            for name, annotation in cls.__annotations__.items()
            if not _of_the_class(annotation)
        }
        cls.model_fields = {**cls.model_fields, **own}
        for name, declared in own.items():
            setattr(cls, name, declared.default)

    def __init__(self, **values: Any) -> None:
        """Raises pydantic's ValidationError, a ValueError, for values that are none of these settings."""
        taken = _plain(type(self), values)
        if taken is None:
            from clf_cli.settings.judge import judged  # pydantic

            taken = judged(type(self), values)
        defaults = {name: field.default for name, field in self.model_fields.items()}
        vars(self).update(defaults | taken)

    def __setattr__(self, name: str, value: object) -> None:
        raise FrozenInstanceError(f"{type(self).__name__} is frozen: {name} cannot be set.")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"{type(self).__name__} is frozen: {name} cannot be deleted.")

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        yield from vars(self).items()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self)})"

    @classmethod
    def model_validate(cls, values: Any) -> Self:
        """Of a mapping, whose texts are converted. Raises ValidationError."""
        if isinstance(values, cls):
            return values
        if isinstance(values, Mapping) and all(isinstance(name, str) for name in values):
            return cls(**values)
        from clf_cli.settings.judge import judged

        return cls(**judged(cls, values))

    @classmethod
    def from_toml(cls, table: Mapping[str, Any]) -> Self:
        """Of a file's table, whose values have the right types. Raises ValidationError."""
        taken = _plain(cls, table, texts=False)
        if taken is None:
            from clf_cli.settings.judge import judged_strictly

            taken = judged_strictly(cls, table)
        return cls().model_copy(update=taken)

    def model_copy(self, *, update: Mapping[str, Any] | None = None) -> Self:
        """The same but for `update`, which nobody checks."""
        copy = object.__new__(type(self))
        vars(copy).update(vars(self) | dict(update or {}))
        return copy

    def model_dump(
        self, *, mode: Literal["python", "json"] = "python", exclude: Collection[str] = (), exclude_none: bool = False
    ) -> dict[str, Any]:
        """The values by key, of sections too; `json` makes texts of paths and lists of tuples."""
        return {
            name: _dumped(value, mode)
            for name, value in self
            if name not in exclude and not (exclude_none and value is None)
        }

    @classmethod
    def model_json_schema(cls) -> dict[str, Any]:
        """The JSON schema of its declarations."""
        from clf_cli.settings.judge import twin

        return twin(cls).model_json_schema()


def _of_the_class(annotation: Any) -> bool:
    origin: Any = get_origin(annotation)
    return origin is ClassVar


def _plain(section: type[Section], values: Mapping[str, Any], texts: bool = True) -> dict[str, Any] | None:
    """The values as the section holds them, texts converted; None where one of them is not plain."""
    taken = {}
    for name, value in values.items():
        field = section.model_fields.get(name)
        if field is None:
            return None
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            taken[name] = _plain_section(kind, value)
        else:
            taken[name] = plain(field.whole, value, texts)
        if taken[name] is NOT_PLAIN:
            return None
    return taken


def _plain_section(section: type[Section], value: Any) -> Any:
    if isinstance(value, section):
        return value
    taken = _plain(section, value) if isinstance(value, dict) else None
    return NOT_PLAIN if taken is None else section().model_copy(update=taken)


def _dumped(value: Any, mode: Literal["python", "json"]) -> Any:
    if isinstance(value, Section):
        return value.model_dump(mode=mode)
    if mode == "json" and isinstance(value, Path):
        return str(value)
    return [_dumped(item, mode) for item in value] if mode == "json" and isinstance(value, tuple) else value


def takes_several(annotation: Any) -> bool:
    """Whether a type, or a member of a union, takes several values."""
    if get_origin(annotation) is Annotated:
        return takes_several(annotation.__origin__)
    if get_origin(annotation) in (Union, UnionType):
        return any(takes_several(member) for member in get_args(annotation))
    return get_origin(annotation) in (tuple, list)


def split_list(text: str) -> list[str]:
    """The values of a comma-separated list."""
    return [item.strip() for item in text.split(",")]


def wrong_keys(error: ValueError) -> tuple[str, ...]:
    """The keys that a ValidationError is about. Raises any other error again."""
    problems = getattr(error, "errors", None)
    if problems is None:
        raise error
    return tuple(dict.fromkeys(problem["loc"][0] for problem in problems()))


Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Auto = Literal["auto"]
