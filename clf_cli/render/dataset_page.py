"""The page about a data set as one HTML file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from clf_cli.data.codes import SEVERITIES
from clf_cli.data.samples import WHOLE
from clf_cli.engine.crop_loss import Fit
from clf_cli.engine.dataset import DatasetResult, Spread
from clf_cli.engine.dataset_page import SUSPECTS, DatasetPage
from clf_cli.files import write_atomic
from clf_cli.render import crop_loss, suspects
from clf_cli.render.dataset_findings import by_code, further_places, gate_lines, judged_of
from clf_cli.render.metadata_counts import distinct_text, value_text
from clf_cli.render.page_facts import Figure, size_text
from clf_cli.render.page_sizes import cloud
from clf_cli.render.page_template import fill
from clf_cli.render.text import counted, decimal, percent

CLASSES_SHOWN = 1000  # in the table; of more, the largest and the rarest
FINDINGS_SHOWN = 30  # of each code
PLACES_SHOWN = 20  # of each of them that have no picture
TITLES = {
    "summary": "Summary",
    "findings": "Findings",
    "suspects": "Disputed labels",
    "classes": "Classes",
    "sizes": "Sizes, pixels and transform",
    "metadata": "Keys of the rows",
    "examples": "Examples",
}


@dataclass(frozen=True)
class ClassRow:
    """A class in the table; `parts` are (left, width) of each split in percent of the widest bar."""

    name: str
    counts: tuple[int, ...]
    total: int
    parts: tuple[tuple[float, float], ...]
    crop: Fit


def write_dataset_page(page: DatasetPage, path: Path) -> None:
    """Writes the page, whole or not at all (RunError): the same page gives the same bytes."""
    content = html(page).encode("utf-8", "backslashreplace")  # a file name may hold bytes that are no text
    write_atomic(path, lambda file: file.write(content))


def html(page: DatasetPage) -> str:
    """The whole file. Every text of the data is escaped by the template engine."""
    result = page.result
    rows = class_rows(result)
    return fill(
        "dataset.html.j2",
        page=page,
        result=result,
        sections=page.sections,
        titles=TITLES,
        splits=[split or WHOLE for split in result.splits],
        lede=lede(result),
        headline=headline(result),
        facts=list(facts(result, page.fingerprint)),
        groups=by_code(judged_of(result.findings, result.gate)),
        gate=[str(line) for line in gate_lines(result.gate)],
        most_findings=FINDINGS_SHOWN,
        most_places=PLACES_SHOWN,
        further=further_places,
        suspects=() if result.suspects is None else result.suspects.images[:SUSPECTS],
        suspect_lines=() if result.suspects is None else suspects.lines(result.suspects, SUSPECTS),
        class_rows=rows,
        hidden=len(result.labels) - len(rows),
        cloud=cloud(result) if result.sizes else None,
        pixels=list(pixel_rows(result)),
        crop=crop_loss,
        metadata=[
            (key, distinct_text(key), [(value_text(value), rows) for value, rows in key.values])
            for key in result.metadata
        ],
        values={"curves": None, "matrices": []},
    )


def lede(result: DatasetResult) -> str:
    """The page's first sentence: how much of what."""
    size = f"{counted(int(result.totals.sum()), 'image')}, {counted(len(result.labels), 'class')}"
    splits = ", ".join(
        f"{int(total):,} {split or WHOLE}" for split, total in zip(result.splits, result.totals, strict=True)
    )
    return f"{size}: {splits}" if len(result.splits) > 1 else size


def headline(result: DatasetResult) -> list[Figure]:
    """What a reader wants to know first."""
    counts = {severity: sum(f.severity == severity for f in result.findings) for severity in SEVERITIES}
    ratio = result.imbalance_ratio
    verdict = "" if result.gate is None else "the gate passes" if result.gate.passed else "the gate fails"
    left = counted(sum(result.skipped), "image")
    median = f"median {result.width.median:.4g} x {result.height.median:.4g} px"
    cut = result.crop.whole
    return [
        Figure("Images", f"{int(result.totals.sum()):,}", (f"{left} left out" if any(result.skipped) else "", median)),
        Figure(
            "Errors",
            f"{counts['error']:,}",
            (f"{counted(counts['warning'], 'warning')}, {counted(counts['info'], 'remark')}", verdict),
        ),
        Figure("Largest to smallest", f"{ratio:.1f}" if isfinite(ratio) else "–", ("images of a class", "in train")),
        Figure("Cut off", percent(cut.cut_pixels), ("of the pixels", crop_loss.times(cut.enlarged))),
    ]


def facts(result: DatasetResult, fingerprint: str) -> Iterator[tuple[str, str]]:
    """(name, value) pairs about the files."""
    yield "Width", f"{_spread(result.width)} px"
    yield "Height", f"{_spread(result.height)} px"
    yield "Longer side over shorter", _spread(result.aspect)
    formats = ", ".join(f"{count:,} {name}" for name, count in result.formats.items())
    yield "Files", f"{formats or 'none'}; {size_text(result.total_bytes)}"
    yield "Modes", ", ".join(f"{count:,} {name}" for name, count in result.modes.items()) or "none"
    yield "Turned by EXIF", counted(result.rotated, "image") if result.rotated else "none"
    yield "Repeated", counted(result.duplicates, "row") if result.duplicates else "none"
    yield "Fingerprint", fingerprint


def class_rows(result: DatasetResult) -> list[ClassRow]:
    """Every class, the most images first; of more than CLASSES_SHOWN, the first and the last."""
    totals = result.counts.sum(axis=1).tolist()
    order = sorted(range(len(totals)), key=lambda index: -totals[index])
    if len(order) > CLASSES_SHOWN:
        order = [*order[: CLASSES_SHOWN // 2], *order[-CLASSES_SHOWN // 2 :]]
    widest = max(totals, default=0) or 1
    return [_class_row(result, index, widest) for index in order]


def pixel_rows(result: DatasetResult) -> Iterator[tuple[str, Sequence[str]]]:
    """Name and a text per channel, for all images and each split."""
    preprocess, fed = result.crop.preprocess, result.normalized
    named = {"all images": result.pixels}
    if len(result.splits) > 1:
        named |= {split or WHOLE: found for split, found in zip(result.splits, result.split_pixels, strict=True)}
    for name, found in named.items():
        if found.images:
            yield name, [*(decimal(value, 3) for value in (*found.mean, *found.std))]
    yield "expected by the model", [*(decimal(value, 3) for value in (*preprocess.mean, *preprocess.std))]
    yield "normalised for the model", [*(decimal(value, 2) for value in (*fed.mean, *fed.std))]


def _class_row(result: DatasetResult, index: int, widest: int) -> ClassRow:
    counts = tuple(result.counts[index].tolist())
    widths = [100 * count / widest for count in counts]
    lefts = [sum(widths[:position]) for position in range(len(widths))]
    parts = tuple(zip(lefts, widths, strict=True))
    return ClassRow(result.labels.names[index], counts, sum(counts), parts, result.crop.classes[index])


def _spread(spread: Spread) -> str:
    if not isfinite(spread.median):
        return "–"
    if spread.smallest == spread.largest:
        return f"{spread.median:.4g}"
    return f"{spread.smallest:.4g} to {spread.largest:.4g}, median {spread.median:.4g}"
