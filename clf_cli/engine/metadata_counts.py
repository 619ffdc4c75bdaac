"""The other keys of the rows of a data set: how many rows have each, and which values they have."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from clf_cli.data.metadata import keys_and_values
from clf_cli.data.samples import Sample

KEYS = 200  # of a data set; what comes later is not counted
DISTINCT = 1000  # values of a key that are told apart
MOST_FREQUENT = 10


@dataclass(frozen=True)
class KeyCounts:
    """One key; `values` are the most frequent ones, text as it is and the rest as JSON, the most frequent first."""

    key: str
    rows: int  # that have it
    distinct: int
    more: bool  # whether there are more than `distinct`, which were not told apart
    values: tuple[tuple[str, int], ...]
    low: float | None  # smallest and largest, where every value is a number
    high: float | None

    def to_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "rows": self.rows,
            "distinct": self.distinct,
            "more": self.more,
            "values": [{"value": value, "rows": rows} for value, rows in self.values],
            "low": self.low,
            "high": self.high,
        }


@dataclass
class _Counting:
    rows: int = 0
    values: Counter[str] = field(default_factory=Counter)
    more: bool = False
    numbers: list[float] | None = field(default_factory=list)  # smallest and largest; None: not all are numbers

    def add(self, value: Any) -> None:
        self.rows += 1
        text = _encodable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))
        if text in self.values or len(self.values) < DISTINCT:
            self.values[text] += 1
        else:
            self.more = True
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.numbers = None
        elif self.numbers is not None:
            self.numbers = [min([*self.numbers[:1], value]), max([*self.numbers[1:], value])]


def metadata_counts(rows: Iterable[Sample]) -> tuple[KeyCounts, ...]:
    """In the order in which the keys first appear, at most KEYS; the memory that it takes has a bound.

    Of a key with more than DISTINCT values, those that come later count for its rows alone.
    """
    found: dict[str, _Counting] = {}
    for row in rows:
        for name, value in keys_and_values(row):
            key = _encodable(name)
            if key in found or len(found) < KEYS:
                found.setdefault(key, _Counting()).add(value)
    return tuple(_counts(key, counting) for key, counting in found.items())


def _counts(key: str, counting: _Counting) -> KeyCounts:
    ranked = sorted(counting.values.items(), key=lambda item: (-item[1], item[0]))[:MOST_FREQUENT]
    low, high = counting.numbers or (None, None)
    return KeyCounts(key, counting.rows, len(counting.values), counting.more, tuple(ranked), low, high)


def _encodable(text: str) -> str:
    """Halves of surrogate pairs, which JSON can hold and UTF-8 cannot, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()
