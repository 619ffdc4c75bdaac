"""Predictions as a table, as lines of JSON and as rows of CSV."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from clf_cli.data.samples import printable
from clf_cli.engine.predictions import PredictionsResult, Tally
from clf_cli.files import seen
from clf_cli.render.csv import Cell, csv_line
from clf_cli.render.text import UNDEFINED, counted, label, percent
from clf_cli.values.prediction import Candidate, Prediction


def table(result: PredictionsResult) -> RenderableType:
    """One row per image: the answer, and what else it may be as far as the terminal is wide, or why there is none."""
    return _Fitting(result.predictions)


@dataclass(frozen=True)
class _Fitting:
    """Lists as many candidates as fit beside the longest path, one at least; then paths are folded."""

    predictions: tuple[Prediction, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        candidates = max((len(prediction.top) for prediction in self.predictions), default=1)
        while candidates > 1 and self._width(candidates) > options.max_width:
            candidates -= 1
        yield self._grid(candidates)

    def _grid(self, candidates: int) -> Table:
        grid = Table()
        grid.add_column("image", overflow="fold")
        grid.add_column("label")
        grid.add_column("probability", justify="right")
        grid.add_column("next")
        for prediction in self.predictions:
            grid.add_row(*_cells(prediction, candidates))
        return grid

    def _width(self, candidates: int) -> int:
        """Of the widest cells, a blank on both sides of each, and the lines between."""
        widths = [0, 0, len("probability"), 0]
        for prediction in self.predictions:
            cells = _cells(prediction, candidates)
            widths = [max(width, cell_len(cell.plain)) for width, cell in zip(widths, cells, strict=True)]
        return sum(widths) + 3 * len(widths) + 1


def summary(tally: Tally) -> str:
    """One line: how many images, how many classes among the answers, and how many got none."""
    parts = [counted(tally.images, "image"), f"{counted(len(tally.seen), 'class')} seen"]
    if tally.abstained:
        parts.append(f"{tally.abstained:,} not sure enough")
    return " · ".join([*parts, f"{tally.unreadable:,} unreadable"])


def json_line(prediction: Prediction) -> str:
    return seen(json.dumps(prediction.to_json(), ensure_ascii=False, allow_nan=False))


def csv_header(top: int) -> str:
    """The columns, with a label and a probability for each of the `top` candidates."""
    candidates = [f"top{rank}_{name}" for rank in range(1, top + 1) for name in ("label", "probability")]
    return csv_line(["path", "label", "index", "probability", "error", *candidates])


def csv_row(prediction: Prediction, top: int) -> str:
    """An empty label is `""`; a field of which there is none is empty."""
    candidates: list[Cell] = [cell for candidate in prediction.top for cell in (candidate.label, candidate.probability)]
    missing: list[Cell] = [None] * (2 * top - len(candidates))
    first = (prediction.path, prediction.label, prediction.index, prediction.probability, prediction.error)
    return csv_line([*first, *candidates, *missing])


def _cells(prediction: Prediction, candidates: int) -> tuple[Text, Text, Text, Text]:
    path = Text(printable(prediction.path or ""))
    if prediction.error is not None:
        return path, Text(UNDEFINED), Text(UNDEFINED), Text(prediction.error, "red")
    if prediction.abstained:
        return path, Text("not sure", "yellow"), Text(UNDEFINED), Text(_listed(prediction.top[:candidates]))
    best, *others = prediction.top
    told, share = Text(label(best.label), "bold"), Text(percent(best.probability))
    return path, told, share, Text(_listed(others[:candidates]))


def _listed(candidates: Sequence[Candidate]) -> str:
    return ", ".join(f"{label(candidate.label, 24)} {percent(candidate.probability)}" for candidate in candidates)
