"""Predictions as a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from clf_cli.data.samples import printable
from clf_cli.engine.predictions import PredictionsResult
from clf_cli.render.text import UNDEFINED, label, percent
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
