"""Accepted findings, one on a line of a file: a gate fails on new ones alone, and a diff shows what was accepted."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clf_cli.data.codes import CODES
from clf_cli.data.dataset import Dataset
from clf_cli.data.line_contents import line_contents
from clf_cli.data.samples import Finding, manifest_line
from clf_cli.errors import RunError, UsageError
from clf_cli.files import write_text
from clf_cli.reading import read_json

BASELINE = "clf-baseline.json"  # in the current folder, unless another is named
VERSION = 1
_HINT = "Name another with --baseline, or write it anew with --update-baseline."


@dataclass(frozen=True, order=True)
class Entry:
    """One accepted thing: a code at a place, or, where a finding is about the whole set, a code and its sentence.

    A row of a manifest is known by its image, a line that gives no row by its content, so that lines may move. A file
    that is renamed is another place. The sentence stands beside a folder that holds more than is listed: it counts it.
    """

    code: str
    place: str = ""
    reason: str = ""
    nth: int = 1  # of the rows of an image that one finding is about; a file has as many equal lines

    def to_json(self) -> dict[str, str]:
        known = {"code": self.code, "place": self.place, "reason": self.reason}
        return {key: value for key, value in known.items() if value}


class Identity:
    """Which entries a finding stands for, in one data set; `findings` are all that are asked about."""

    def __init__(self, dataset: Dataset, findings: Iterable[Finding] = ()) -> None:
        rows = (*dataset.samples, *dataset.left_out)
        self._images: Mapping[str, str] = {row.source: row.path for row in rows if manifest_line(row.source)}
        self._lines = _unused_lines(dataset.root, findings, self._images)

    def entries(self, finding: Finding) -> tuple[Entry, ...]:
        """One for each of the finding's places, in their order."""
        if not finding.places:
            return (Entry(finding.code, reason=finding.reason),)
        if line := self._lines.get((finding.code, finding.path)):
            return (line,)
        names = [self._images.get(place, place) for place in finding.places]
        counted = finding.reason if finding.count > len(names) else ""
        return numbered(Entry(finding.code, name, "" if at else counted) for at, name in enumerate(names))


def _unused_lines(root: Path, findings: Iterable[Finding], images: Mapping[str, str]) -> dict[tuple[str, str], Entry]:
    """By code and place, what findings of single lines that give no row stand for: `MANIFEST#HASH`; equal lines have
    numbers."""
    lines: dict[str, set[tuple[int, str]]] = {}
    for finding in findings:
        place = manifest_line(finding.path)
        if place and not finding.others and finding.path not in images:
            lines.setdefault(place[0], set()).add((place[1], finding.code))
    found: dict[tuple[str, str], Entry] = {}
    for name, asked in lines.items():
        contents = _contents(root / name, {number for number, _ in asked})
        known = [(number, code) for number, code in sorted(asked) if number in contents]
        entries = numbered(Entry(code, f"{name}#{contents[number]}") for number, code in known)
        found |= {(code, f"{name}:{number}"): entry for (number, code), entry in zip(known, entries, strict=True)}
    return found


def _contents(manifest: Path, numbers: Collection[int]) -> dict[int, str]:
    """None of a manifest that is no longer there: its lines are then known by their numbers."""
    with suppress(OSError):
        return line_contents(manifest, numbers)
    return {}


def numbered(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Equal ones told apart by their number, so that one more than was accepted is new."""
    seen: Counter[Entry] = Counter()
    found = []
    for entry in entries:
        seen[entry] += 1
        found.append(replace(entry, nth=seen[entry]))
    return tuple(found)


def read_baseline(path: Path) -> frozenset[Entry]:
    """Raises UsageError (exit 2) naming the file, where it is none or cannot be read."""
    try:
        document = read_json(path)
    except FileNotFoundError:
        raise UsageError(f"There is no baseline {path}.", "--update-baseline writes it.") from None
    except OSError as error:
        raise UsageError(f"The baseline {path} cannot be read: {error.strerror}.", _HINT) from error
    except ValueError:
        raise UsageError(f"The baseline {path} is not JSON.", _HINT) from None
    if not isinstance(document, dict) or document.get("kind") != "baseline":
        raise UsageError(f"{path} is no baseline of clf.", _HINT)
    if document.get("schema_version") != VERSION:
        raise UsageError(f"The baseline {path} is of another version of clf.", _HINT)
    entries = document.get("accepted")
    if not isinstance(entries, list):
        raise UsageError(f'The baseline {path} has no list "accepted".', _HINT)
    return frozenset(numbered(_entry(path, number, entry) for number, entry in enumerate(entries, start=1)))


def write_baseline(path: Path, entries: Iterable[Entry]) -> None:
    """In the order of codes and places. Raises RunError (exit 6) naming the file."""
    lines = ",\n".join(f"    {_line(entry)}" for entry in sorted(entries))
    accepted = f"[\n{lines}\n  ]" if lines else "[]"
    text = f'{{\n  "schema_version": {VERSION},\n  "kind": "baseline",\n  "accepted": {accepted}\n}}\n'
    try:
        write_text(path, text)
    except RunError as error:
        raise RunError(error.message, "Free some space or name another file with --baseline.") from error


def _line(entry: Entry) -> str:
    """Readable letters, but for names that are not valid Unicode: no file may hold them."""
    text = json.dumps(entry.to_json(), ensure_ascii=False)
    return text if text.isprintable() else json.dumps(entry.to_json())


def _entry(path: Path, number: int, entry: Any) -> Entry:
    if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
        raise UsageError(f"Entry {number} of the baseline {path} is no object of strings.", _HINT)
    code, about = entry.get("code"), entry.keys() - {"code"}
    if code not in CODES:
        raise UsageError(f"Entry {number} of the baseline {path} has no known code: {json.dumps(code)}.", _HINT)
    if not about or about - {"place", "reason"}:
        raise UsageError(f'Entry {number} of the baseline {path} needs "place" or "reason", and no more.', _HINT)
    return Entry(**entry)
