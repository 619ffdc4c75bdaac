"""The other keys of the rows of a data set: how many rows have each, and which values they have."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf, isfinite
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
    numeric: bool = True  # all of them
    low: float = inf
    high: float = -inf

    def add(self, value: Any) -> None:
        self.rows += 1
        text = value if isinstance(value, str) else _json(value)
        if text in self.values or len(self.values) < DISTINCT:
            self.values[text] += 1
        else:
            self.more = True
        number = _number(value)
        if number is None:
            self.numeric = False
        else:
            self.low, self.high = min(self.low, number), max(self.high, number)


def _number(value: Any) -> float | None:
    """None of what is no number, or not a finite one: JSON holds whole numbers of any length."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if isfinite(value) else None
    except OverflowError:
        return None


def metadata_counts(rows: Iterable[Sample]) -> tuple[KeyCounts, ...]:
    """In the order in which the keys first appear, at most KEYS; the memory that it takes has a bound.

    Of a key with more than DISTINCT values, those that come later count for its rows alone.
    """
    found: dict[str, _Counting] = {}
    for row in rows:
        for key, value in keys_and_values(row):
            counting = found.get(key)
            if counting is None and len(found) < KEYS:
                counting = found[key] = _Counting()
            if counting is not None:
                counting.add(value)
    return tuple(_counts(key, counting) for key, counting in found.items())


def _counts(key: str, counting: _Counting) -> KeyCounts:
    ranked = sorted(counting.values.items(), key=lambda item: (-item[1], item[0]))[:MOST_FREQUENT]
    return KeyCounts(
        key=_encodable(key),
        rows=counting.rows,
        distinct=len(counting.values),
        more=counting.more,
        values=tuple((_encodable(value), rows) for value, rows in ranked),
        low=counting.low if counting.numeric else None,
        high=counting.high if counting.numeric else None,
    )


def _json(value: Any) -> str:
    if type(value) is int:  # a tenth of the time
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def _encodable(text: str) -> str:
    """Halves of surrogate pairs, which JSON can hold and UTF-8 cannot, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()
