"""Pixels of a confusion matrix: blue what is right, orange what is wrong, hatched what was not measured."""

from functools import cache

import numpy as np
import numpy.typing as npt
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D, IdentityTransform

from clf_cli.engine.confusion import ConfusionResult
from clf_cli.render.figures import INK, SCALE, Pixels

_RIGHT = ("#d6e6f4", "#89bedc", "#3d8dc4", "#135fa7", "#08306b")  # ColorBrewer's Blues and Oranges, from a first tint
_WRONG = ("#fee2c6", "#fdae6b", "#f57520", "#c94401", "#7f2704")  # on: a single error stays visible
_UNMEASURED, _HATCH, _GRID, _UNMEASURED_THIN = (246, 246, 246), (222, 222, 222), (228, 231, 235), (218, 222, 227)
_GRID_FROM = 12  # pixels per cell
_ENLARGED_BELOW = 4  # pixels per cell
_ENLARGED_SHARE = 0.1  # of the true class's images
_LARGEST_NUMBER, _SMALLEST_NUMBER = 14.0, 4.2  # points


def strengths(result: ConfusionResult, normalize: bool) -> npt.NDArray[np.float64]:
    """(C, C) 0 to 1: each count over its row's sum, or over the largest count. Rows without images are NaN."""
    if normalize:
        return result.shares
    return np.where(result.support[:, None] > 0, result.counts / max(1, int(result.counts.max(initial=0))), np.nan)


def matrix_pixels(result: ConfusionResult, normalize: bool, cell: int) -> Pixels:
    """(C x cell, C x cell, 3), every class `cell` pixels wide."""
    strength = strengths(result, normalize)
    pixels = np.full((*strength.shape, 3), 255, dtype=np.uint8)
    filled, diagonal = strength > 0, np.eye(len(strength), dtype=np.bool_)
    for where, ramp in ((filled & diagonal, _ramp(_RIGHT)), (filled & ~diagonal, _ramp(_WRONG))):
        pixels[where] = ramp[_step(strength[where])]
    pixels[result.support == 0] = _UNMEASURED if cell >= _GRID_FROM else _UNMEASURED_THIN
    if cell < _ENLARGED_BELOW:
        _enlarge(pixels, filled | np.isnan(strength), np.nan_to_num(result.shares) >= _ENLARGED_SHARE)
    large = pixels.repeat(cell, axis=0).repeat(cell, axis=1)
    if cell >= _GRID_FROM:
        _hatch(large, np.repeat(result.support == 0, cell))
        for start in range(cell, len(large), cell):
            large[start] = large[:, start] = _GRID
    return large


def matrix_notes(result: ConfusionResult, cell: int) -> tuple[str, ...]:
    """What a reader has to know about the pixels."""
    notes = []
    if (result.support == 0).any():
        notes.append("grey: not measured, no images of this class")
    if cell < _ENLARGED_BELOW:
        notes.append(f"errors of {_ENLARGED_SHARE:.0%} and more of a class are drawn larger".replace("%", " %"))
    return tuple(notes)


def bar_pixels(width: int, height: int) -> Pixels:
    """The colour bar: what is right on the left, what is wrong on the right; the square root of the value runs up."""
    steps = _step(np.square(np.linspace(1, 0, height)))
    halves = [np.repeat(_ramp(colors)[steps][:, None], width // 2, axis=1) for colors in (_RIGHT, _WRONG)]
    return np.concatenate(halves, axis=1)


def write_numbers(
    figure: Figure, result: ConfusionResult, normalize: bool, cell: int, corner: tuple[float, float]
) -> None:
    """Writes each cell's number, if the longest one fits a cell; `corner` is the matrix's left and top in points."""
    left, top = corner
    at_rows, at_columns = np.nonzero(result.counts)
    texts = [_number(result, int(row), int(column), normalize) for row, column in zip(at_rows, at_columns, strict=True)]
    room = cell / SCALE
    size = min(_LARGEST_NUMBER, room / (0.78 * max(map(len, texts), default=1)), 0.3 * room + 1.5)
    if size < _SMALLEST_NUMBER:
        return
    strength = strengths(result, normalize)[at_rows, at_columns]
    dark = _step(strength) > np.where(at_rows == at_columns, 110, 150)
    height = figure.get_size_inches()[1] * figure.dpi
    centres = np.column_stack((left * SCALE + (at_columns + 0.5) * cell, height - top * SCALE - (at_rows + 0.5) * cell))
    for chosen, color in ((dark, "white"), (~dark, INK)):
        outlines = [_outline(text, round(size, 2)) for text, take in zip(texts, chosen, strict=True) if take]
        if outlines:
            figure.add_artist(_at(outlines, centres[chosen], color))


def _at(outlines: list[Outline], centres: npt.NDArray[np.float64], color: str) -> PathCollection:
    collection = PathCollection(
        outlines, offsets=centres, offset_transform=IdentityTransform(), facecolor=color, linewidth=0
    )
    collection.set_transform(Affine2D().scale(SCALE))
    return collection


def _number(result: ConfusionResult, row: int, column: int, normalize: bool) -> str:
    count = int(result.counts[row, column])
    if not normalize:
        return str(count) if count < 10_000 else f"{count / 1000:.0f}k"
    percent = 100 * count / int(result.support[row])
    if percent < 1:
        return "<1"
    return "100" if count == result.support[row] else str(min(99, round(percent)))


@cache
def _outline(text: str, size: float) -> Outline:
    """The text's shape around (0, 0), in points."""
    path = TextPath((0, 0), text, size=size)
    box = path.get_extents()
    return Outline(path.vertices - (box.p0 + box.p1) / 2, path.codes)


def _step(strength: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    return np.asarray(np.rint(255 * np.sqrt(strength)), dtype=np.intp)


@cache
def _ramp(colors: tuple[str, ...]) -> Pixels:
    """(256, 3)"""
    anchors = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in colors])
    at = np.linspace(0, 255, len(colors))
    return np.column_stack([np.interp(np.arange(256), at, channel) for channel in anchors.T]).round().astype(np.uint8)


def _enlarge(pixels: Pixels, taken: npt.NDArray[np.bool_], chosen: npt.NDArray[np.bool_]) -> None:
    """Spreads the chosen cells off the diagonal over the free ones around them."""
    at_rows, at_columns = np.nonzero(chosen & ~np.eye(len(chosen), dtype=np.bool_))
    colors = pixels[at_rows, at_columns]
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            to_rows = np.clip(at_rows + down, 0, len(chosen) - 1)
            to_columns = np.clip(at_columns + across, 0, len(chosen) - 1)
            free = ~taken[to_rows, to_columns]
            pixels[to_rows[free], to_columns[free]] = colors[free]


def _hatch(pixels: Pixels, rows: npt.NDArray[np.bool_]) -> None:
    at_rows = np.flatnonzero(rows)
    stripes = (at_rows[:, None] + np.arange(pixels.shape[1])) % 12 < 2
    block = pixels[at_rows]
    block[stripes] = _HATCH
    pixels[at_rows] = block
