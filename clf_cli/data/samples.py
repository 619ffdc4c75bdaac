"""What a data set is made of before any file is opened: labelled rows, and what was odd about them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

SPLITS = ("train", "val", "test")
ALIASES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
WHOLE = "all"  # the split of data that bring none and are scored whole

Category = Literal[
    "unreadable", "manifest", "outside", "conflict", "unknown-class", "classes", "split", "naming", "leak", "duplicate",
    "balance", "litter",
]  # fmt: skip
Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True)
class Sample:
    """One annotation row: an image under a label."""

    path: str  # relative to the data's root, posix
    label: str
    split: str | None = None
    group: str | None = None  # images of one group stay in one split
    metadata: Mapping[str, Any] = field(default_factory=dict)  # the row's other keys
    source: str = ""  # "train/annotations.jsonl:12", or the class folder


@dataclass(frozen=True)
class Finding:
    """Something about the data that a person should know; errors stop training, warnings and infos do not."""

    category: Category
    severity: Severity
    path: str  # file, folder, or manifest:line, relative to the data's root; "" for the whole set
    reason: str

    def __str__(self) -> str:
        return f"{printable(self.path)}: {printable(self.reason)}" if self.path else printable(self.reason)

    def to_json(self) -> dict[str, str]:
        return {"category": self.category, "severity": self.severity, "path": self.path, "reason": self.reason}


@dataclass(frozen=True)
class Listing:
    """All rows of a data set, read from its folders or manifests; no image was opened yet."""

    root: Path  # resolved folder that every path is relative to
    samples: tuple[Sample, ...]
    splits: tuple[str, ...]  # that the data bring, in the order of SPLITS; empty when they bring none
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


def printable(text: str) -> str:
    """`text` on one line: control characters and bytes that are not Unicode are shown as escapes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
