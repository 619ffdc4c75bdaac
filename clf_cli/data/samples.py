"""What a data set is made of before any file is opened: labelled rows, and what was odd about them."""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clf_cli.data.codes import CODES, Category, Severity
from clf_cli.errors import DataError

SPLITS = ("train", "val", "test")
ALIASES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
WHOLE = "all"  # the split of data that bring none and are scored whole
_LINE = re.compile(r"(.+\.(?:jsonl|csv)):([1-9][0-9]*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Sample:
    """One annotation row: an image under a label."""

    path: str  # relative to the data's root, posix
    label: str
    split: str | None = None
    group: str | None = None  # images of one group stay in one split
    metadata: Mapping[str, Any] = field(default_factory=dict)  # the row's other keys
    source: str = ""  # "train/annotations.jsonl:12", or the class folder


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about the data that a person should know; errors stop training, warnings and infos do not."""

    code: str  # a key of CODES
    path: str  # file, folder, or manifest:line, relative to the data's root; "" for the whole set
    reason: str
    severity: Severity  # the code's own, unless a policy decides
    others: tuple[str, ...] = ()  # further places that it is about, written as `path` is
    count: int = 1  # images, rows or files that it is about

    @classmethod
    def of(
        cls,
        code: str,
        path: str,
        reason: str,
        *,
        severity: Severity | None = None,
        others: tuple[str, ...] = (),
        count: int = 0,
    ) -> "Finding":
        """Of the code's own severity unless a policy gives another; it counts its places unless `count` is given."""
        return cls(code, path, reason, severity or CODES[code].severity, others, count or 1 + len(others))

    @property
    def category(self) -> Category:
        return CODES[self.code].category

    @property
    def fix(self) -> str:
        return CODES[self.code].fix

    @property
    def places(self) -> tuple[str, ...]:
        """Every place that it is about; empty for the whole set."""
        return (self.path, *self.others) if self.path else self.others

    def __str__(self) -> str:
        return f"{printable(self.path)}: {printable(self.reason)}" if self.path else printable(self.reason)

    def to_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "category": self.category,
            "severity": self.severity,
            "path": self.path,
            "others": list(self.others),
            "count": self.count,
            "reason": self.reason,
            "fix": self.fix,
        }


@dataclass(frozen=True)
class Listing:
    """All rows of a data set, read from its folders or manifests; no image was opened yet."""

    root: Path  # resolved folder that every path is relative to
    samples: tuple[Sample, ...]
    splits: tuple[str, ...]  # that the data bring, in the order of SPLITS; empty when they bring none
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


class RefusedDataError(DataError):
    """Findings stop what was asked for; `root` is the folder that their places start from."""

    def __init__(self, root: Path, findings: tuple[Finding, ...], message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.root = root
        self.findings = findings


def refused(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that training stops at; the gate of clf inspect-dataset fails on the same, unless it is told otherwise."""
    return tuple(finding for finding in findings if finding.severity == "error")


def manifest_line(place: str) -> tuple[str, int] | None:
    """Manifest and line of such a place; None for files and folders."""
    found = _LINE.fullmatch(place)
    return (found[1], int(found[2])) if found else None


def printable(text: str) -> str:
    """`text` on one line: control characters and bytes that are not Unicode are shown as escapes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def is_unicode(text: str) -> bool:
    """Whether UTF-8 can hold it: not halves of a pair, as JSON may escape, nor bytes of another encoding in a name."""
    with suppress(UnicodeEncodeError):
        text.encode()
        return True
    return False
