"""Types of values that came from a file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import GenericAlias
from typing import Any, Literal

import pytest

from clf_cli.values.typed import typed


@dataclass(frozen=True)
class Inner:
    name: str


@dataclass(frozen=True)
class Outer:
    count: int
    share: float
    kind: Literal["a", "b"]
    maybe: str | None
    pair: tuple[int, str]
    many: tuple[Inner, ...]
    table: Mapping[str, float]
    inner: Inner | None
    any_one: Any


GOOD = {
    "count": 1,
    "share": 2,
    "kind": "a",
    "maybe": None,
    "pair": (1, "x"),
    "many": (Inner("a"), Inner("b")),
    "table": {"a": 1.0},
    "inner": Inner("c"),
    "any_one": object(),
}


def test_what_fits_comes_back():
    value = Outer(**GOOD)
    assert typed(value) is value


class Alias:
    """As Python 3.12 makes them of `type Rows[T] = list[T]`; NumPy 2.5 has such a one in NDArray."""

    __value__ = Mapping

    def __class_getitem__(cls, parts: Any) -> Any:
        return GenericAlias(cls, parts)


def test_an_alias_stands_for_its_value():
    @dataclass(frozen=True)
    class Holder:
        rows: Any
        plain: Any

    Holder.__annotations__.update(rows=Alias[str], plain=Alias)
    good = Holder({"a": 1}, {})
    assert typed(good) is good
    with pytest.raises(TypeError, match="rows"):
        typed(Holder([], {}))
    with pytest.raises(TypeError, match="plain"):
        typed(Holder({}, 3))


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("count", "1", "count"),
        ("count", True, "count"),
        ("count", 1.0, "count"),
        ("share", "x", "share"),
        ("share", False, "share"),
        ("kind", "c", "kind"),
        ("kind", [], "kind"),
        ("maybe", 1, "maybe"),
        ("pair", (1,), "pair"),
        ("pair", ("x", 1), "pair"),
        ("pair", [1, "x"], "pair"),
        ("many", (Inner(1),), "name"),
        ("many", ("a",), "many"),
        ("table", {"a": "x"}, "table"),
        ("table", {1: 1.0}, "table"),
        ("table", [], "table"),
        ("inner", Inner(None), "name"),
        ("inner", {"name": "x"}, "inner"),
        ("maybe", ["x" * 10_000], "maybe"),
    ],
)
def test_what_does_not_is_named(field, value, named):
    with pytest.raises(TypeError, match=re.escape(named)) as caught:
        typed(Outer(**{**GOOD, field: value}))
    assert len(str(caught.value)) < 100
