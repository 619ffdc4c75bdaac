"""The checks that rows and their files go through; each returns what is kept, what is left out and what to say."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from clf_cli.data.codes import Severity
from clf_cli.data.samples import SPLITS, Finding, Sample
from clf_cli.data.scan import OUTSIDE, FileFacts
from clf_cli.values.labels import Labels, shown

Files = Mapping[str, FileFacts]
SHOWN_PLACES = 5


@dataclass(frozen=True)
class Left:
    """A row that is not used, and why; it is in no denominator."""

    sample: Sample
    reason: str


@dataclass(frozen=True)
class Checked:
    """The outcome of one check, both parts in the order of the rows."""

    kept: tuple[Sample, ...]
    left: tuple[Left, ...] = ()
    findings: tuple[Finding, ...] = ()


def place(sample: Sample) -> str:
    """Where a person finds the row: manifest and line, or the file itself."""
    return sample.path if sample.path.startswith(f"{sample.source}/") or not sample.source else sample.source


def named_beside(rows: Sequence[Sample]) -> str:
    """The rows that belong with the first one, in words: the images of a manifest by name, since lines say little."""
    images = list(dict.fromkeys(sample.path for sample in rows))
    by_name = len(images) > 1 and place(rows[0]) != rows[0].path
    names = images if by_name else [place(sample) for sample in rows[1:]]
    more = f" and {len(names) - SHOWN_PLACES} more" if len(names) > SHOWN_PLACES else ""
    return f"{'' if by_name else 'also '}{', '.join(names[:SHOWN_PLACES])}{more}"


def readable(samples: Sequence[Sample], files: Files, policy: Literal["error", "skip"]) -> Checked:
    """Rows whose file decodes. Links that leave the data folder are errors under every policy."""
    left = []
    findings: dict[str, Finding] = {}
    for sample in samples:
        facts = files[sample.path]
        if facts.error is None:
            continue
        left.append(Left(sample, facts.error))
        severity: Severity = "error" if facts.code == OUTSIDE or policy == "error" else "warning"
        named = "" if place(sample) == sample.path else f" (named in {sample.source})"
        finding = Finding.of(facts.code, sample.path, facts.error + named, severity=severity)
        findings.setdefault(sample.path, finding)
    kept = tuple(sample for sample in samples if files[sample.path].error is None)
    return Checked(kept, tuple(left), tuple(findings.values()))


def consistent(samples: Sequence[Sample], files: Files, policy: Literal["error", "keep", "drop"]) -> Checked:
    """Rows without those whose image, the same file or the same bytes, stands under two labels, if policy is drop."""
    findings = []
    dropped: dict[str, str] = {}
    for content, rows in by_content(samples, files).items():
        labels = sorted({sample.label for sample in rows})
        if len(labels) < 2:
            continue
        one_file = len({sample.path for sample in rows}) == 1  # then only the rows differ
        places = [f'"{shown(sample.label)}" in {place(sample) if one_file else sample.path}' for sample in rows]
        more = f" and {len(places) - SHOWN_PLACES} more" if len(places) > SHOWN_PLACES else ""
        reason = "one image under two labels: " + ", ".join(places[:SHOWN_PLACES]) + more
        severity: Severity = "error" if policy == "error" else "warning"
        others = tuple(place(sample) for sample in rows[1:])
        findings.append(Finding.of("CLF301", rows[0].path, reason, severity=severity, others=others))
        if policy == "drop":
            dropped[content] = "labelled " + " and ".join(f'"{label}"' for label in labels)
    hashes = [files[sample.path].content_hash for sample in samples]
    pairs = list(zip(samples, hashes, strict=True))
    return Checked(
        tuple(sample for sample, content in pairs if content not in dropped),
        tuple(Left(sample, dropped[content]) for sample, content in pairs if content in dropped),
        tuple(findings),
    )


def known(samples: Sequence[Sample], labels: Labels, policy: Literal["error", "skip"], owner: str) -> Checked:
    """Rows whose class is one of `labels`; `owner` says whose those are ("train", "the model")."""
    strange: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.label not in labels:
            strange[sample.label].append(sample)
    severity: Severity = "error" if policy == "error" else "warning"
    findings = []
    for label in sorted(strange):
        splits = ", ".join(f"{count} in {split}" for split, count in per_split(strange[label]))
        reason = f'class "{shown(label)}" is not a class of {owner} (images: {splits})'
        first, *others = (place(sample) for sample in strange[label])
        findings.append(Finding.of("CLF501", first, reason, severity=severity, others=tuple(others)))
    return Checked(
        tuple(sample for sample in samples if sample.label in labels),
        tuple(
            Left(sample, f'class "{shown(sample.label)}" is not a class of {owner}')
            for sample in samples
            if sample.label not in labels
        ),
        tuple(findings),
    )


def repeats(samples: Sequence[Sample], files: Files) -> tuple[Finding, ...]:
    """Images that occur more than once: in two splits (a leak), or in one under one label."""
    findings = []
    for rows in by_content(samples, files).values():
        if len(rows) < 2:
            continue
        splits = [split for split, _ in per_split(rows)]
        others = tuple(place(sample) for sample in rows[1:])
        if len(splits) > 1:
            reason = f"the same image is in {' and '.join(splits)}: {named_beside(rows)}"
            findings.append(Finding.of("CLF401", place(rows[0]), reason, others=others))
        elif len({sample.label for sample in rows}) == 1:
            code = "CLF413" if len({sample.path for sample in rows}) == 1 else "CLF411"
            findings.append(Finding.of(code, place(rows[0]), f"the same image: {named_beside(rows)}", others=others))
    return tuple(findings)


def by_content(samples: Iterable[Sample], files: Files) -> dict[str, list[Sample]]:
    """Rows of each image, told by its bytes, in order of appearance."""
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[files[sample.path].content_hash].append(sample)
    return groups


def per_split(samples: Iterable[Sample]) -> list[tuple[str, int]]:
    """(split, rows) in the order of SPLITS, then others."""
    counts = Counter(sample.split or "" for sample in samples)
    return sorted(counts.items(), key=lambda item: split_rank(item[0]))


def split_rank(split: str | None) -> int:
    """Position of a split in every list and table."""
    return SPLITS.index(split) if split in SPLITS else len(SPLITS)
