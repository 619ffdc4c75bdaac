"""Widths and heights of the images as shapes of an SVG picture."""

from dataclasses import dataclass
from math import log10

from clf_cli.data.samples import WHOLE
from clf_cli.engine.dataset import DatasetResult

SIDE, LEFT, BELOW, AROUND = 420.0, 46.0, 34.0, 10.0  # of the square, and around it
LARGEST, SMALLEST = 14.0, 2.0  # radius of a point
ROUND = (1, 1.5, 2, 3, 5, 7)  # times a power of ten


@dataclass(frozen=True)
class Point:
    """Images of one size in one split; `style` is that of the split in page.css."""

    x: float
    y: float
    radius: float
    style: str
    title: str


@dataclass(frozen=True)
class Cloud:
    """All sizes; both axes are logarithmic and equal. `target` is where the network's input lies, if it is in sight."""

    points: tuple[Point, ...]
    across: tuple[tuple[float, str], ...]  # (position, text)
    up: tuple[tuple[float, str], ...]
    target: tuple[float | None, float | None]

    @property
    def view(self) -> str:
        """The viewBox."""
        return f"0 0 {LEFT + SIDE + AROUND:g} {AROUND + SIDE + BELOW:g}"


def cloud(result: DatasetResult) -> Cloud:
    """The largest points first, so that none hides another."""
    sides = [side for size in result.sizes for side in (size.width, size.height)]
    low, high = log10(min(sides) / 1.25), log10(max(sides) * 1.25)

    def at(side: float) -> float:
        return SIDE * (log10(side) - low) / (high - low)

    def across(side: float) -> float:
        return round(LEFT + at(side), 1)

    def up(side: float) -> float:
        return round(AROUND + SIDE - at(side), 1)

    most = max(max(size.counts) for size in result.sizes)
    points = [
        Point(
            across(size.width),
            up(size.height),
            round(max(SMALLEST, LARGEST * (count / most) ** 0.5), 1),
            f"s{split + 1}",
            f"{size.width} x {size.height}: {count:,} {result.splits[split] or WHOLE}",
        )
        for size in result.sizes
        for split, count in enumerate(size.counts)
        if count
    ]
    marks = [number for power in range(5) for factor in ROUND if low < log10(number := factor * 10**power) < high]
    preprocess = result.crop.preprocess
    inside = [side if low < log10(side) < high else None for side in (preprocess.width, preprocess.height)]
    return Cloud(
        tuple(sorted(points, key=lambda point: -point.radius)),
        tuple((across(mark), f"{mark:g}") for mark in marks),
        tuple((up(mark), f"{mark:g}") for mark in marks),
        (None if inside[0] is None else across(inside[0]), None if inside[1] is None else up(inside[1])),
    )
