"""Findings as SARIF 2.1.0, which code hosts and editors show at the files that they are about."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from clf_cli import __version__
from clf_cli.data.codes import CODES, SEVERITIES, Severity
from clf_cli.data.samples import Finding, manifest_line, printable
from clf_cli.engine.dataset_gate import Judged, Verdict
from clf_cli.errors import ClfError
from clf_cli.files import json_text

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST = 25_000  # results of a run; GitHub refuses a file with more
RELATED = 100  # other places of a result
LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "info": "note"}
SOURCES, DATA = "%SRCROOT%", "DATA"  # the folder that a URI starts from: the current one, else that of the data
_INDEX = {code: index for index, code in enumerate(CODES)}


def sarif_json(verdict: Verdict, folder: Path) -> str:
    """One run; the URIs of data below `folder`, where a repository's root is, start there. Worst results first."""
    hidden = len(verdict.judged) - MOST
    said = [f"{hidden:,} more findings are left out: clf inspect-dataset --json has all."] if hidden > 0 else []
    invocation = {"executionSuccessful": True, "toolExecutionNotifications": [_notification("note", t) for t in said]}
    return _log(verdict.root, verdict.judged, folder, invocation)


def sarif_of_failure(root: Path, findings: Iterable[Finding], folder: Path, error: ClfError) -> str:
    """The run of an inspection that came to no verdict: the error, and what had been found until then."""
    text = "\n".join(part for part in (error.message, error.hint) if part)
    invocation = {
        "executionSuccessful": False,
        "exitCode": error.exit_code,
        "toolExecutionNotifications": [_notification("error", text)],
    }
    return _log(root, [Judged(finding, "failed") for finding in findings], folder, invocation)


def _log(root: Path, judged: Sequence[Judged], folder: Path, invocation: Mapping[str, Any]) -> str:
    places = _Places(root, folder)
    run = {
        "tool": {"driver": _driver()},
        "invocations": [invocation],
        "originalUriBaseIds": places.bases(),
        "columnKind": "unicodeCodePoints",
        "results": [_result(item, places) for item in sorted(judged, key=_rank)[:MOST]],
    }
    return json_text({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}) + "\n"


def _notification(level: str, text: str) -> dict[str, Any]:
    return {"level": level, "message": {"text": _plain(text)}}


class _Places:
    """Where findings are, as URIs."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root, self._folder = root, folder.resolve()
        self._base = SOURCES if root.is_relative_to(self._folder) else DATA

    def bases(self) -> dict[str, Any]:
        folder = self._folder if self._base == SOURCES else self._root
        return {self._base: {"uri": f"{folder.as_uri().rstrip('/')}/"}}

    def location(self, place: str) -> dict[str, Any]:
        """`place` is that of a finding; an empty one is the data folder."""
        line = manifest_line(place)
        path = self._root / (line[0] if line else place)
        start = self._folder if self._base == SOURCES else self._root
        uri = quote(os.fsencode(os.path.relpath(path, start).replace(os.sep, "/")))
        physical: dict[str, Any] = {"artifactLocation": {"uri": uri, "uriBaseId": self._base}}
        if line:
            physical["region"] = {"startLine": line[1]}
        return {"physicalLocation": physical}


def _driver() -> dict[str, Any]:
    return {
        "name": "clf",
        "semanticVersion": __version__,
        "rules": [
            {
                "id": code.code,
                "shortDescription": {"text": code.title},
                "fullDescription": {"text": f"{code.title} ({code.category})"},  # GitHub wants one
                "help": {"text": code.fix},
                "defaultConfiguration": {"level": LEVELS[code.severity]},
                "properties": {"tags": [code.category]},
            }
            for code in CODES.values()
        ],
    }


def _result(item: Judged, places: _Places) -> dict[str, Any]:
    """Accepted findings are suppressed; those that are accepted in part have their new places alone."""
    finding = item.finding if item.outcome == "accepted" else item.new
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": _INDEX[finding.code],
        "level": LEVELS[finding.severity],
        "message": {"text": _plain(f"{finding.reason}. {finding.fix}")},
        "locations": [places.location(finding.path)],
    }
    if finding.others:
        others = dict.fromkeys(finding.others)  # the schema wants them to differ
        result["relatedLocations"] = [places.location(place) for place in list(others)[:RELATED]]
    if item.outcome == "accepted":
        result["suppressions"] = [{"kind": "external", "justification": "accepted by the baseline"}]
    if item.outcome:
        result["properties"] = {"gate": item.outcome}
    return result


def _plain(text: str) -> str:
    """Without the links that a message may hold (3.11.6), nor characters that cannot be seen."""
    return "\n".join(map(printable, text.split("\n"))).replace("](", "] (")


def _rank(item: Judged) -> tuple[bool, int, str]:
    """What fails comes first, then the severities."""
    return item.outcome != "failed", SEVERITIES.index(item.finding.severity), item.finding.code
