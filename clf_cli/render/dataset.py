"""The class table of a data set, and below it what is wrong with it."""

from collections.abc import Iterator, Sequence
from math import isfinite

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.data.samples import WHOLE
from clf_cli.engine.dataset import DatasetResult, Spread
from clf_cli.render import crop_loss, dataset_findings, metadata_counts, suspects
from clf_cli.render.csv import harmless
from clf_cli.render.junit import Case
from clf_cli.render.text import UNDEFINED, counted, decimal, label, percent

CLASSES_SHOWN = 200  # more are told by their largest and smallest
CROP_COLUMNS = ("cut_pixels", "cut_side", "enlarged", "stretched", "bars")


def table(result: DatasetResult) -> RenderableType:
    """Classes first, with count and share per split; then the numbers of the whole set; then a row for each code."""
    return Group(
        _whole(result), *_suspects(result, suspects.SHOWN), dataset_findings.table(result.findings, result.gate)
    )


def full(result: DatasetResult) -> RenderableType:
    """The same with every finding."""
    return Group(_whole(result), *_suspects(result, None), dataset_findings.listing(result.findings, result.gate))


def cases(result: DatasetResult) -> tuple[Case, ...]:
    """The gate for JUnit, a case for each code; without a gate none."""
    return () if result.gate is None else dataset_findings.cases(result.gate)


def rows(result: DatasetResult) -> Iterator[tuple[str | int | float, ...]]:
    """One line per class for a CSV file: index, class, count and share per split, then what the transform does."""
    for index, name in enumerate(result.labels):
        columns = range(len(result.splits))
        counts = (value for s in columns for value in (int(result.counts[index, s]), result.share(index, s)))
        yield (index, harmless(name), *counts, *result.crop.classes[index].to_json().values())


def header(result: DatasetResult) -> tuple[str, ...]:
    """The first line of that file."""
    return (
        "index",
        "class",
        *(name for split in result.splits for name in (split or WHOLE, f"{split or WHOLE}_share")),
        *CROP_COLUMNS,
    )


def lines(result: DatasetResult) -> tuple[str, ...]:
    """The whole set in a few lines of text."""
    ratio = result.imbalance_ratio
    told = [
        f"Largest class over smallest: {ratio:.1f}" if isfinite(ratio) else "",
        f"Width {_spread(result.width)} px, height {_spread(result.height)} px (smallest, median, largest)",
        f"Longer side over shorter: {_spread(result.aspect)}",
        f"Formats: {_counts(result.formats)}; modes: {_counts(result.modes)}; {_size(result.total_bytes)}",
        *pixel_lines(result),
        f"Turned by EXIF: {counted(result.rotated, 'image')}" if result.rotated else "",
        f"Repeated: {counted(result.duplicates, 'row')}" if result.duplicates else "",
    ]
    for index, split in enumerate(result.splits):
        missing = result.missing(index)
        if missing and result.totals[index]:
            names = ", ".join(label(name) for name in missing[:8])
            more = f" and {len(missing) - 8} more" if len(missing) > 8 else ""
            told.append(f"Without {split} images: {names}{more}")
    return tuple(line for line in (*told, *crop_loss.lines(result.crop)) if line)


def _whole(result: DatasetResult) -> RenderableType:
    parts: list[RenderableType] = [_classes(result), *(Text(line) for line in lines(result))]
    lost = crop_loss.table(result.crop, result.labels)
    parts += [Text(), lost] if lost is not None else []
    parts += [Text(), metadata_counts.table(result.metadata)] if result.metadata else []
    return Group(*parts)


def _suspects(result: DatasetResult, limit: int | None) -> list[RenderableType]:
    return [Text()] if result.suspects is None else [Text(), suspects.table(result.suspects, limit), Text()]


def pixel_lines(result: DatasetResult) -> tuple[str, ...]:
    """Mean and deviation per channel, and what the normalisation of the model makes of them."""
    if not result.pixels.images:
        return ()
    found, fed = result.pixels, result.normalized
    return (
        f"Pixels, red green blue: mean {_channels(found.mean)}, deviation {_channels(found.std)}",
        f"  normalised for the model: mean {_channels(fed.mean)}, deviation {_channels(fed.std)}",
    )


def _classes(result: DatasetResult) -> Table:
    grid = Table(title=f"{counted(int(result.totals.sum()), 'image')}, {counted(len(result.labels), 'class')}")
    grid.title_justify = "left"
    grid.add_column("index", justify="right")
    grid.add_column("class")
    for split in result.splits:
        grid.add_column(split, justify="right")
        grid.add_column("share", justify="right", style="dim")
    for index in _shown(result):
        cells = [_cell(result, index, split) for split in range(len(result.splits))]
        grid.add_row(str(index), Text(label(result.labels.names[index])), *(text for pair in cells for text in pair))
    hidden = len(result.labels) - len(_shown(result))
    if hidden:
        grid.add_row("", Text(f"… {hidden} classes between the largest and the smallest", style="dim"))
    grid.add_section()
    grid.add_row("", "all", *(text for total in result.totals for text in (f"{total:,}", "")))
    if any(result.skipped):
        grid.add_row("", "left out", *(text for count in result.skipped for text in (f"{count:,}", "")))
    return grid


def _shown(result: DatasetResult) -> Sequence[int]:
    """All classes in label order; of too many the largest and the smallest of the first split."""
    count = len(result.labels)
    if count <= CLASSES_SHOWN:
        return range(count)
    order = sorted(range(count), key=lambda index: -int(result.counts[index, 0]))
    return order[: CLASSES_SHOWN // 2] + order[-CLASSES_SHOWN // 2 :]


def _cell(result: DatasetResult, index: int, split: int) -> tuple[str, str]:
    count = int(result.counts[index, split])
    return (f"{count:,}", percent(result.share(index, split))) if count else (UNDEFINED, "")


def _spread(spread: Spread) -> str:
    values = (spread.smallest, spread.median, spread.largest)
    return ", ".join(f"{value:.4g}" if isfinite(value) else UNDEFINED for value in values)


def _channels(values: Sequence[float]) -> str:
    return " ".join(decimal(value, 2) for value in values)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or UNDEFINED


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:,.1f} kB"
