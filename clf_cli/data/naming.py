"""Names that look alike and are not, or hold what cannot be seen, and suffixes that are of another format."""

import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from clf_cli.data.checks import place
from clf_cli.data.samples import Finding, Sample
from clf_cli.data.scan import FileFacts
from clf_cli.values.labels import shown

_FOLDS: dict[str, Callable[[str], str]] = {
    "space": lambda name: " ".join(name.split()),
    "Unicode form": lambda name: unicodedata.normalize("NFKC", name),
    "case": str.casefold,
}
_JOINERS = "\u200c\u200d"  # part of the spelling in several scripts, and of emoji
_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "MPO": (".mpo", ".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "AVIF": (".avif",),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "DIB": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "JPEG2000": (".jp2", ".j2k"),
    "QOI": (".qoi",),
}
_KNOWN = frozenset(suffix for suffixes in _SUFFIXES.values() for suffix in suffixes)


def naming_findings(samples: Sequence[Sample], files: Mapping[str, FileFacts]) -> tuple[Finding, ...]:
    """Of all rows, used or not: classes that differ by too little, invisible characters, suffixes of another format."""
    first = _first_rows(samples)
    return (*_alike(first, samples), *_invisible(first, samples), *_misnamed(files))


def invisible(text: str) -> str:
    """The characters of `text` that cannot be seen: control, format, direction and line separators."""
    return "".join(
        char
        for index, char in enumerate(text)
        if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp") and not _joins(text, index)
    )


def _joins(text: str, index: int) -> bool:
    around = text[max(index - 1, 0) : index] + text[index + 1 : index + 2]
    return text[index] in _JOINERS and len(around) == 2 and not around[0].isascii() and not around[1].isascii()


def _first_rows(samples: Iterable[Sample]) -> dict[str, Sample]:
    first: dict[str, Sample] = {}
    for sample in samples:
        first.setdefault(sample.label, sample)
    return first


def _alike(first: Mapping[str, Sample], samples: Sequence[Sample]) -> list[Finding]:
    groups: dict[str, list[str]] = defaultdict(list)
    for label in sorted(first):
        groups[_folded(label, _FOLDS)].append(label)
    counts = Counter(sample.label for sample in samples)
    findings = []
    for labels in groups.values():
        if len(labels) < 2:
            continue
        names = ", ".join(f'"{shown(label)}"' for label in labels)
        reason = f"class names differ only by {_difference(labels)}: {names}"
        path, others = _folders([first[label] for label in labels])
        count = sum(counts[label] for label in labels)
        findings.append(Finding.of("CLF601", path, reason, others=others, count=count))
    return findings


def _folded(name: str, kinds: Iterable[str]) -> str:
    """Twice, because one fold may open what another closes."""
    for _ in range(2):
        for kind in kinds:
            name = _FOLDS[kind](name)
    return name


def _difference(labels: Sequence[str]) -> str:
    """As few kinds of difference as make the names one."""
    needed = list(_FOLDS)
    for kind in ("Unicode form", "case", "space"):
        others = [other for other in needed if other != kind]
        if len({_folded(label, others) for label in labels}) == 1:
            needed = others
    return " and ".join(needed)


def _folders(rows: Sequence[Sample]) -> tuple[str, tuple[str, ...]]:
    """The class folders of the rows; none for a manifest, where a class is no place."""
    if any(place(row) != row.path for row in rows):
        return "", ()
    return rows[0].source, tuple(row.source for row in rows[1:])


def _invisible(first: Mapping[str, Sample], samples: Sequence[Sample]) -> list[Finding]:
    findings = []
    for label, sample in first.items():
        if found := invisible(label):
            reason = f'class "{shown(label)}" holds {_points(found)}'
            findings.append(Finding.of("CLF602", _folders([sample])[0], reason))
    paths: dict[str, str] = {}
    for sample in samples:
        if sample.path.isprintable():  # most are, and of a million paths each look costs a second
            continue
        if found := invisible("/".join(part for part in sample.path.split("/") if part != sample.label)):
            paths[sample.path] = found
    if paths:
        others = tuple(paths)[1:]
        names = "file name holds" if len(paths) == 1 else f"{len(paths)} file names hold"
        reason = f"{names} {_points(''.join(paths.values()))}"
        findings.append(Finding.of("CLF602", next(iter(paths)), reason, others=others))
    return findings


def _points(text: str) -> str:
    """Characters by their code points: `U+200B ZERO WIDTH SPACE`."""
    return ", ".join(f"U+{ord(char):04X} {unicodedata.name(char, '')}".strip() for char in dict.fromkeys(text))


def _misnamed(files: Mapping[str, FileFacts]) -> list[Finding]:
    wrong = {}
    for path, facts in files.items():
        if facts.error is not None:
            continue
        suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122 - a Path is slow
        if suffix in _KNOWN and suffix not in _SUFFIXES.get(facts.format, _KNOWN):
            wrong[path] = f"{suffix} holds {facts.format}"
    if not wrong:
        return []
    first, *others = sorted(wrong)
    kinds = ", ".join(sorted(set(wrong.values())))
    return [Finding.of("CLF604", first, f"suffix of another format: {kinds}", others=tuple(others))]
