"""The envelope of every report, on disk and by --json (docs/design.md, schemas, version 1)."""

import math
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from clf_cli import __version__
from clf_cli.files import json_text

SCHEMA_VERSION = 1
Weights = Literal["ema", "live"]


@dataclass(frozen=True)
class ModelRef:
    """The model that a report is about; `path` is relative to its run, or the file's name outside one."""

    path: str
    arch: str
    weights: Weights
    run_id: str | None


@dataclass(frozen=True)
class DataRef:
    """The images that a report is about. `images` were scored, `skipped` were not and are in no denominator."""

    path: str
    split: str
    fingerprint: str
    images: int
    skipped: int


FindingJson = dict[str, Any]


def finding(category: str, reason: str, path: str = "", severity: str = "warning") -> FindingJson:
    """What a reader of a report should know; `reason` begins small and ends without a full stop."""
    return {"category": category, "severity": severity, "path": path, "reason": reason}


NEVER_VALIDATED = (finding("validation", "these weights were never validated"),)


class Tellable(Protocol):
    """What has a plain-data form."""

    def to_json(self) -> FindingJson: ...


@dataclass(frozen=True)
class Findings(Collection[FindingJson]):
    """Their plain-data forms, each made when it is asked for: those of a million take a gigabyte."""

    items: Collection[Tellable]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[FindingJson]:
        return (item.to_json() for item in self.items)

    def __contains__(self, item: object) -> bool:
        return any(item == own for own in self)


class Result(Protocol):
    """What a compute function returns: `kind` names the report, `to_result` gives its plain-data form."""

    kind: ClassVar[str]

    def to_result(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Report:
    """A result with where it came from."""

    result: Result
    model: ModelRef | None = None
    data: DataRef | None = None
    findings: Collection[FindingJson] = ()

    @property
    def kind(self) -> str:
        return self.result.kind

    def to_json(self) -> dict[str, Any]:
        return {**self._head(), "findings": [plain(finding) for finding in self.findings]}

    def json_parts(self) -> Iterator[str]:
        """The text of `to_json`, a finding at a time. Raises ValueError for a NaN in the result before the first."""
        yield json_text({**self._head(), "findings": []}).removesuffix("]\n}")
        for number, told in enumerate(self.findings):
            lines = json_text(plain(told)).replace("\n", "\n    ")
            yield f"{',' if number else ''}\n    {lines}"
        yield "\n  ]\n}" if self.findings else "]\n}"

    def _head(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": self.kind,
            "clf": __version__,
            "model": asdict(self.model) if self.model else None,
            "data": asdict(self.data) if self.data else None,
            "result": plain(self.result.to_result()),
        }


def plain(value: Any) -> Any:
    """JSON-ready: arrays to lists, numpy scalars to Python's, NaN and infinities to None."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    raise TypeError(f"{type(value).__name__} has no place in a report")
