"""The confusion matrix as shapes of an SVG picture, with the counts to show where the pointer is."""

import unicodedata
from dataclasses import dataclass

import numpy as np

from clf_cli.engine.confusion import ConfusionResult
from clf_cli.render.text import label
from clf_cli.values.predictions import IntArray

WHOLE = 60  # classes; of more, the PART with the most errors are drawn
PART = 40
PAIRS = 200  # listed
NAME_LIMIT = 16  # characters along the sides
NUMBERS_FROM = 18  # units per cell
STEPS = 12  # of colour
DARK_FROM = 0.8  # opacity from which a number stands light on its cell


@dataclass(frozen=True)
class Number:
    """A count that is written into its cell."""

    x: float
    y: float
    text: str
    on_dark: bool


@dataclass(frozen=True)
class Pair:
    """Images of one class that were taken for another; `row` and `column` place it in the picture, or are None."""

    true: str
    predicted: str
    count: int
    share: float
    row: int | None
    column: int | None


@dataclass(frozen=True)
class Matrix:
    """Lengths are units of the picture; `right` and `wrong` are (opacity, path data) in units of a cell."""

    split: str
    classes: int
    images: int
    accuracy: float
    names: tuple[str, ...]  # short, of the drawn classes
    cell: int
    size: float  # of the names
    left: float
    below: float
    right: tuple[tuple[float, str], ...]
    wrong: tuple[tuple[float, str], ...]
    numbers: tuple[Number, ...]
    unmeasured: str  # path data of rows without images
    pairs: tuple[Pair, ...]  # the worst ones
    confused: int  # pairs in all
    script: dict[str, object]

    @property
    def shown(self) -> int:
        return len(self.names)

    @property
    def side(self) -> int:
        return self.cell * self.shown

    @property
    def is_small(self) -> bool:
        """Whether it is shown as wide as a phone, where others are moved."""
        return self.shown <= 14

    @property
    def enlarged(self) -> float:
        """Pixels of its width where there is room."""
        return round(self.width * (1.4 if self.is_small else 1.2 if self.shown <= 24 else 1.0))

    @property
    def width(self) -> float:
        return self.left + self.side + 8

    @property
    def height(self) -> float:
        return self.side + self.below + 12


def matrix(result: ConfusionResult, split: str) -> Matrix:
    """The whole matrix up to WHOLE classes, else the part of it that has the most errors."""
    shown = _shown(result)
    part = result.counts[np.ix_(shown, shown)]
    names = tuple(label(result.labels.names[index], NAME_LIMIT) for index in shown)
    cell = _cell(len(shown))
    size = 11.0 if cell >= NUMBERS_FROM else 9.5
    longest = max(width(name, size) for name in names)
    left = round(max(longest + 30, 0.72 * longest + 12), 1)
    return Matrix(
        split=split,
        classes=len(result.labels),
        images=result.images,
        accuracy=result.accuracy,
        names=names,
        cell=cell,
        size=size,
        left=left,
        below=round(0.72 * longest + 30, 1),
        right=_paths(part, result, shown, diagonal=True),
        wrong=_paths(part, result, shown, diagonal=False),
        numbers=_numbers(part, result, shown, cell) if cell >= NUMBERS_FROM else (),
        unmeasured="".join(
            f"M0 {row}h{len(shown)}v1h-{len(shown)}z" for row, index in enumerate(shown) if not result.support[index]
        ),
        pairs=_pairs(result, shown),
        confused=int(np.count_nonzero(result.counts)) - int(np.count_nonzero(np.diagonal(result.counts))),
        script={
            "cell": cell,
            "left": left,
            "names": [label(result.labels.names[index], 60) for index in shown],
            "counts": part.tolist(),
            "support": result.support[list(shown)].tolist(),
        },
    )


def width(text: str, size: float) -> float:
    """About how wide a text is: a browser's fonts are not known here."""
    return size * sum(1.0 if unicodedata.east_asian_width(character) in "WF" else 0.56 for character in text)


def _shown(result: ConfusionResult) -> tuple[int, ...]:
    """The classes to draw, in label order."""
    if len(result.labels) <= WHOLE:
        return tuple(range(len(result.labels)))
    wrong = result.counts.copy()
    np.fill_diagonal(wrong, 0)
    errors = wrong.sum(axis=1) + wrong.sum(axis=0)
    return tuple(sorted(np.argsort(-errors, kind="stable")[:PART].tolist()))


def _pairs(result: ConfusionResult, shown: tuple[int, ...]) -> tuple[Pair, ...]:
    place = {index: row for row, index in enumerate(shown)}
    return tuple(
        Pair(
            label(result.labels.names[pair.true]),
            label(result.labels.names[pair.predicted]),
            pair.count,
            pair.share,
            place.get(pair.true) if pair.predicted in place else None,
            place.get(pair.predicted) if pair.true in place else None,
        )
        for pair in result.most_confused(PAIRS)
    )


def _cell(classes: int) -> int:
    """Few enough classes fit a phone; many fill a desktop."""
    return max(20, min(44, 300 // classes)) if classes <= 34 else max(13, 860 // classes)


def _opacity(share: float) -> float:
    """The square root of the share, as in the pictures: a single error stays visible."""
    return round(0.12 + 0.88 * round(STEPS * float(np.sqrt(share))) / STEPS, 2)


def _paths(
    part: IntArray, result: ConfusionResult, shown: tuple[int, ...], diagonal: bool
) -> tuple[tuple[float, str], ...]:
    """One path for all cells of one colour."""
    found: dict[float, list[str]] = {}
    for row, column in zip(*np.nonzero(part), strict=True):
        if (row == column) == diagonal:
            opacity = _opacity(float(result.shares[shown[row], shown[column]]))
            found.setdefault(opacity, []).append(f"M{column} {row}h1v1h-1z")
    return tuple((opacity, "".join(cells)) for opacity, cells in sorted(found.items()))


def _numbers(part: IntArray, result: ConfusionResult, shown: tuple[int, ...], cell: int) -> tuple[Number, ...]:
    """Every count, if the largest one fits its cell."""
    if len(str(part.max())) * 6.5 > cell:
        return ()
    return tuple(
        Number(
            (int(column) + 0.5) * cell,
            (int(row) + 0.5) * cell,
            str(int(part[row, column])),
            _opacity(float(result.shares[shown[row], shown[column]])) >= DARK_FROM,
        )
        for row, column in zip(*np.nonzero(part), strict=True)
    )
