"""The sentences about a data set: the lines that are said at the start, the list of problems, and what to do next."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from clf_cli.data.checks import Left, per_split
from clf_cli.data.codes import CODES
from clf_cli.data.samples import Finding, Sample
from clf_cli.values.labels import Labels, shown

LISTED = 20
NAMED = 8


def listed(root: Path, errors: Sequence[Finding]) -> str:
    """All problems in one text: up to LISTED lines, and how many more."""
    if len(errors) == 1:
        return f"{root} cannot be used: {errors[0]}."
    lines = [f"  {error}" for error in errors[:LISTED]]
    if len(errors) > LISTED:
        lines.append(f"  and {len(errors) - LISTED} more")
    return "\n".join([f"{root} cannot be used, {len(errors)} problems:", *lines])


def hint_for(errors: Iterable[Finding]) -> str:
    """The next step for each kind of problem, in the order of the codes."""
    return " ".join(dict.fromkeys(CODES[code].fix for code in sorted({error.code for error in errors})))


def share_note(samples: Sequence[Sample], kept_in_train: Sequence[str]) -> list[str]:
    """What splitting by content gave."""
    shares = ", ".join(f"{split} {count} ({100 * count / len(samples):.1f} %)" for split, count in per_split(samples))
    notes = [f"Split by content hash: {shares}."]
    if kept_in_train:
        notes.append(f"Too few images to split, all in train: {named(kept_in_train)}.")
    return notes


def notes_of(
    samples: Sequence[Sample], labels: Labels, left: Sequence[Left], findings: Sequence[Finding]
) -> tuple[str, ...]:
    """One line for each thing that a person should know before the numbers come."""
    notes = []
    if left:
        splits = ", ".join(f"{count} in {split}" for split, count in per_split(item.sample for item in left))
        notes.append(f"Left out: {_images(len(left))} ({splits}).")
    counts = {
        category: [f for f in findings if f.category == category] for category in ("leak", "duplicate", "conflict")
    }
    if counts["conflict"]:
        notes.append(f"{_images(len(counts['conflict']))} under two labels.")
    if counts["leak"]:
        notes.append(f"{_images(len(counts['leak']))} in more than one split: scores on them are too good.")
    if counts["duplicate"]:
        notes.append(f"{_images(len(counts['duplicate']))} more than once in a split: kept.")
    told: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.category in ("balance", "naming") and finding.severity == "warning":
            told.setdefault(finding.code, []).append(finding)
    for code, alike in told.items():
        notes += [f"{finding}." for finding in alike[:LISTED]]
        if len(alike) > LISTED:
            notes.append(f"And {len(alike) - LISTED:,} more: {CODES[code].title} ({code}).")
    for split in ("val", "test"):
        present = {sample.label for sample in samples if sample.split == split}
        absent = [label for label in labels if label not in present]
        if present and absent:
            notes.append(f"Not measured, no {split} images: {named(absent)}.")
    return tuple(notes)


def named(labels: Sequence[str]) -> str:
    """Some class names, and how many more."""
    more = f" and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
    return ", ".join(shown(label) for label in labels[:NAMED]) + more


def _images(count: int) -> str:
    return f"{count} image" if count == 1 else f"{count} images"
