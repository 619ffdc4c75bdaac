"""How the classes are named along the sides of a matrix: all of them, every k-th, or by index."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

from matplotlib.figure import Figure

from clf_cli.render.figures import FAINT, SCALE, TextStyle, drawable, text_width, write
from clf_cli.render.text import label

LARGEST_SIDE = 1000.0  # points
LARGEST_NAME, SMALLEST_NAME = 9.0, 5.5
LARGEST_STEP = 4  # beyond it, classes are named by index
NAME_LIMIT = 24  # characters


@dataclass(frozen=True)
class ClassAxis:
    """Names of the classes in `shown`, in points but for `cell`, the side of one class in pixels."""

    classes: int
    cell: int
    size: float  # of the names
    shown: range
    names: tuple[str, ...]
    turned: tuple[bool, ...]  # names that stand upright below the columns, because they are wider than these
    beside: float  # room for the names left of the rows
    below: float  # room for the names below the columns
    by_index: bool
    undrawable: bool  # whether a name that no font can show stands as #index

    @property
    def side(self) -> float:
        return self.classes * self.cell / SCALE

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader has to know about the names."""
        notes = []
        if self.shown.step > 1 and not self.by_index:
            notes.append(f"one class in {self.shown.step} is named")
        if self.undrawable and not self.by_index:
            notes.append("#: index of a class whose name no installed font can show")
        return tuple(notes)


def class_axis(names: Sequence[str]) -> ClassAxis:
    """Large cells for few classes, down to two pixels for a thousand; names shrink, then thin out, then are indices."""
    classes = len(names)
    side = min(max(18 * classes, min(400, 120 * classes)), LARGEST_SIDE)
    cell = max(1, round(side * SCALE / classes))
    room = cell / SCALE
    size = max(SMALLEST_NAME, min(LARGEST_NAME, 0.8 * room))
    step = ceil(1.2 * size / room)
    by_index = step > LARGEST_STEP
    if by_index:
        size = 8.0
        step = next((step for step in (10, 20, 50, 100, 200, 500) if step * room >= 20), 1000)
    shown = range(0, classes, step)
    readable = [label(names[index], NAME_LIMIT) for index in shown]
    known = [by_index or drawable(name) for name in readable]
    texts = [
        str(index) if by_index else name if can else f"#{index}"
        for index, name, can in zip(shown, readable, known, strict=True)
    ]
    widths = [text_width(text, size) for text in texts]
    turned = _turned(widths, 0.92 * room * step)
    upright = max((width for width, turn in zip(widths, turned, strict=True) if turn), default=0.0)
    below = max(upright, 1.2 * size)
    return ClassAxis(
        classes, cell, size, shown, tuple(texts), turned, max(widths), below, by_index, undrawable=not all(known)
    )


def write_axes(figure: Figure, axis: ClassAxis, left: float, top: float) -> None:
    """Writes the names and the titles of both sides of the matrix whose corner is at (left, top)."""
    room, side = axis.cell / SCALE, axis.side
    row = TextStyle(axis.size, horizontal="right", vertical="center_baseline")
    upright = replace(row, rotation=90)
    level = TextStyle(axis.size, horizontal="center", vertical="top")
    for position, name, turned in zip(axis.shown, axis.names, axis.turned, strict=True):
        centre = (position + 0.5) * room
        write(figure, left - 5, top + centre, name, row)
        write(figure, left + centre, top + side + 5, name, upright if turned else level)
    title = TextStyle(9, FAINT, horizontal="center", vertical="top")
    kind = "class (index)" if axis.by_index else "class"
    write(figure, left + side / 2, top + side + axis.below + 11, f"predicted {kind}", title)
    sideways = replace(title, vertical="bottom", rotation=90)
    write(figure, left - axis.beside - 11, top + side / 2, f"true {kind}", sideways)


def _turned(widths: list[float], room: float) -> tuple[bool, ...]:
    wide = [width > room for width in widths]
    return tuple(wide) if sum(wide) <= len(wide) / 10 else (True,) * len(wide)
