"""Which architectures and published weights there are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Literal

from clf_cli.errors import UsageError
from clf_cli.models.archs import similar_archs
from clf_cli.models.catalog import Entry

SortKey = Literal["name", "parameters"]


@dataclass(frozen=True)
class ModelsResult:
    """The report of kind `models`."""

    kind: ClassVar[str] = "models"
    timm: str  # version
    models: tuple[Entry, ...]

    def to_result(self) -> dict[str, Any]:
        return {"timm": self.timm, "models": [_row(entry) for entry in self.models]}


def matching(entries: Iterable[Entry], pattern: str | None, pretrained: bool) -> tuple[Entry, ...]:
    """Entries whose name has `pattern` in it, or matches it when it holds `*`, `?` or `[`; in lower case.

    A pattern with a dot looks at the whole name, another at the architecture's. `pretrained` leaves architectures
    without weights out. Raises UsageError (exit 2) when nothing is left.
    """
    named = tuple(entry for entry in entries if pattern is None or _fits(entry, pattern.lower()))
    if not named:
        similar = similar_archs(pattern or "")
        near = f"Did you mean {', '.join(similar)}?" if similar else "`clf models` lists all of them."
        raise UsageError(f"No architecture of timm fits {pattern!r}.", near)
    left = tuple(entry for entry in named if entry.source or not pretrained)
    if not left:
        raise UsageError(f"No architecture that fits {pattern!r} has published weights.", "Leave --pretrained away.")
    return left


def in_order(entries: Sequence[Entry], key: SortKey) -> tuple[Entry, ...]:
    """By name, or by parameters, those that are not counted last."""
    if key == "name":
        return tuple(sorted(entries, key=lambda entry: entry.name))
    return tuple(sorted(entries, key=lambda entry: (entry.parameters is None, entry.parameters or 0, entry.name)))


def _fits(entry: Entry, pattern: str) -> bool:
    name = entry.name if "." in pattern else entry.architecture
    return fnmatchcase(name.lower(), pattern) if set("*?[") & set(pattern) else pattern in name.lower()


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "architecture": entry.architecture,
        "tag": entry.name.partition(".")[2] or None,
        "default": entry.default,
        "parameters": entry.parameters,
        "classes": entry.classes,
        "input": {"height": entry.height, "width": entry.width},
        "licence": entry.licence or None,
        "source": entry.source or None,
    }
