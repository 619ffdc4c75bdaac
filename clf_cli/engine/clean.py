"""A data set without the rows that findings speak of: every one that goes, and why."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from clf_cli.data.checks import place
from clf_cli.data.codes import CODES
from clf_cli.data.samples import Finding, Listing, Sample, printable
from clf_cli.errors import UsageError
from clf_cli.values.labels import shown
from clf_cli.values.report import FindingJson, finding

ELSEWHERE = ("leak", "duplicate")  # clf split and clf dedupe keep one of the copies
UNKNOWN_CLASS = "CLF501"
SUSPECT = "CLF901"  # clf clean asks no model
MOST_BYTES = 64 << 20  # of a file of --rows: a million paths


@dataclass(frozen=True)
class Cleaned:
    """A row that the new manifest does not have; `codes` of the findings that name it, `reason` of the first.

    Without codes it was named itself.
    """

    row: Sample
    codes: tuple[str, ...]
    reason: str

    def to_json(self) -> dict[str, Any]:
        row = self.row
        return {
            "path": row.path,
            "label": row.label,
            "split": row.split,
            "codes": list(self.codes),
            "reason": self.reason,
        }


@dataclass(frozen=True)
class CleanResult:
    """Rows that stay, in their order, and those that do not."""

    kind: ClassVar[str] = "clean"

    drop: tuple[str, ...]
    kept: tuple[Sample, ...]
    dropped: tuple[Cleaned, ...]
    unread: tuple[Finding, ...]  # lines and files that never became a row, so the new manifest cannot have them
    file: str | None = None  # the manifest that was written

    def to_result(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "drop": list(self.drop),
            "kept": len(self.kept),
            "dropped": [row.to_json() for row in self.dropped],
            "unread": [finding.to_json() for finding in self.unread],
        }


def chosen_codes(words: Iterable[str]) -> frozenset[str]:
    """Codes of the severities, categories and codes of --drop; those of leaks and duplicates are for other commands.

    Raises UsageError (exit 2) without a word, and for a word that means nothing but those.
    """
    words = list(words)
    if not words:
        raise UsageError("--drop names nothing to leave out.", "Name severities, categories or codes of findings.")
    codes: set[str] = set()
    for word in words:
        named = {code.code for code in CODES.values() if word in (code.severity, code.category, code.code)}
        found = {code for code in named if CODES[code].category not in ELSEWHERE}
        if named and not found:
            raise UsageError(f"--drop {word}: every copy would go.", CODES[min(named)].fix)
        if named == {SUSPECT}:
            raise UsageError(f"--drop {word}: only clf inspect-dataset --model finds them.", CODES[SUSPECT].fix)
        codes |= found
    return frozenset(codes)


def read_places(file: Path) -> frozenset[str]:
    """Paths and manifest lines (`all.jsonl:12`), one a line, as reports name them. Raises UsageError (exit 2)."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)  # a device has no end
        if len(content) > MOST_BYTES:
            raise UsageError(f"--rows {file} has more than {MOST_BYTES >> 20} MiB.", "Name fewer rows in one file.")
        lines = content.decode("utf-8-sig").split("\n")  # other line ends may be part of a name
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UsageError(f"--rows {file} cannot be read: {reason}.", "Name a text file with a path a line.") from error
    return frozenset(line.removesuffix("\r") for line in lines if line.strip())


def clean(
    listing: Listing, findings: Sequence[Finding], drop: Sequence[str], places: Collection[str] = frozenset()
) -> CleanResult:
    """Drops the rows of `listing` at `places`, and those that a finding with one of the codes of `drop` names.

    Where that takes a class's last train row, and unknown classes are to go, its val and test rows go too. Raises
    UsageError (exit 2) for places where no row is.
    """
    codes = chosen_codes(drop) if drop or not places else frozenset()
    known = {where for row in listing.samples for where in (row.path, place(row))}
    if unknown := sorted(set(places) - known):
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise UsageError(
            f"--rows: no row is at {printable(unknown[0])}{more}.",
            f"Paths start from the data's folder, as {printable(listing.samples[0].path)} does.",
        )
    named: Mapping[str, list[Finding]] = defaultdict(list)
    for one in findings:
        if one.code in codes:
            for where in one.places:
                named[where].append(one)
    dropped: dict[int, Cleaned] = {}
    for index, row in enumerate(listing.samples):
        found = list(dict.fromkeys((*named.get(row.path, ()), *named.get(place(row), ()))))
        if found or row.path in places or place(row) in places:
            reason = found[0].reason if found else "named by --rows"
            dropped[index] = Cleaned(row, tuple(dict.fromkeys(one.code for one in found)), reason)
    if UNKNOWN_CLASS in codes:
        dropped |= _without_train(listing, dropped)
    return CleanResult(
        drop=tuple(drop),
        kept=tuple(row for index, row in enumerate(listing.samples) if index not in dropped),
        dropped=tuple(dropped[index] for index in sorted(dropped)),
        unread=tuple(one for one in listing.findings if one.severity == "error"),
    )


def warnings_of(result: CleanResult) -> tuple[FindingJson, ...]:
    """That training would refuse what is left, since it has no two classes."""
    labels = {row.label for row in result.kept if row.split in (None, "train")}
    if len(labels) > 1 or not result.kept:
        return ()
    what = f'only the class "{shown(labels.pop())}" is' if labels else "no class is"
    return (finding("classes", f"{what} left in train: training refuses that"),)


def _without_train(listing: Listing, dropped: Mapping[int, Cleaned]) -> dict[int, Cleaned]:
    if "train" not in listing.splits:
        return {}
    rows = {index: row for index, row in enumerate(listing.samples) if index not in dropped}
    trained = {row.label for row in rows.values() if row.split == "train"}
    return {
        index: Cleaned(row, (UNKNOWN_CLASS,), f'class "{shown(row.label)}" has no train image left')
        for index, row in rows.items()
        if row.label not in trained
    }
