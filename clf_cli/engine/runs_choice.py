"""Which runs of a list are shown, and in which order."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from clf_cli.engine.history import lower_is_better
from clf_cli.engine.runs import RunRow
from clf_cli.errors import UsageError
from clf_cli.settings.nearest import near_word

SortKey = Literal["score", "test", "name", "arch", "data", "size", "epochs", "duration", "started", "status"]

# what a key sorts by, and whether the largest comes first; scores have their own order, from the best
_VALUES: dict[SortKey, tuple[Callable[[RunRow], Any], bool]] = {
    "score": (lambda row: _rank(row.metric, row.score), False),
    "test": (lambda row: _rank(row.metric, row.test_score), False),
    "name": (lambda row: row.name, False),
    "arch": (lambda row: row.arch, False),
    "data": (lambda row: None if row.data is None else (row.data, row.data_fingerprint), False),
    "size": (lambda row: row.image_size, True),
    "epochs": (lambda row: row.epochs, True),
    "duration": (lambda row: row.seconds, True),
    "started": (lambda row: row.started, True),
    "status": (lambda row: row.status, False),
}
_TEXTS: dict[str, Callable[[RunRow], tuple[object, ...]]] = {
    "name": lambda row: (row.name,),
    "arch": lambda row: (row.arch,),
    "data": lambda row: (row.data, row.data_fingerprint),
    "size": lambda row: (row.image_size,),
    "status": lambda row: (row.status,),
    "metric": lambda row: (row.metric,),
    "weights": lambda row: (row.weights,),
    "onnx": lambda row: (row.onnx,),
}


@dataclass(frozen=True)
class Filter:
    """`arch=resnet*`: the whole text of the key as a pattern, or with no `*`, `?` or `[` in it a part of the text."""

    key: str
    pattern: str

    def matches(self, row: RunRow) -> bool:
        """Capitals and small letters are the same; a number is the whole number."""
        return any(_matches(self.pattern.casefold(), value) for value in _TEXTS[self.key](row))


def parse_filter(text: str) -> Filter:
    """Raises UsageError (exit 2) for what is not KEY=VALUE with a known key."""
    key, sign, pattern = text.partition("=")
    if not (sign and pattern):
        raise UsageError(f"--filter {text!r} is not KEY=VALUE.", "Such as --filter arch=resnet18 or status=finished.")
    if key not in _TEXTS:
        near = near_word(key, _TEXTS)
        hint = f"There are {', '.join(_TEXTS)}."
        raise UsageError(f"--filter {text!r}: no such key{f'; {near}' if near else '.'}", hint)
    return Filter(key, pattern)


def filtered(rows: Iterable[RunRow], filters: Sequence[Filter]) -> tuple[RunRow, ...]:
    """The rows that all filters match, in their order."""
    return tuple(row for row in rows if all(one.matches(row) for one in filters))


def in_order(rows: Sequence[RunRow], key: SortKey, reverse: bool = False) -> tuple[RunRow, ...]:
    """Sorted; equal rows keep their order, and rows without a value come last whichever way it goes."""
    value, descending = _VALUES[key]
    known = sorted((row for row in rows if value(row) is not None), key=value, reverse=descending != reverse)
    return (*known, *(row for row in rows if value(row) is None))


def _rank(metric: str | None, score: float | None) -> tuple[str, float] | None:
    """Scores of one metric stand together, the best first."""
    if metric is None or score is None:
        return None
    return metric, score if lower_is_better(metric) else -score


def _matches(pattern: str, value: object) -> bool:
    if value is None:
        return False
    text = str(value).casefold()
    if any(sign in pattern for sign in "*?[") or isinstance(value, int):
        return fnmatchcase(text, pattern)
    return pattern in text
