"""An export, as lines for people."""

import math

from rich.console import Group, RenderableType
from rich.text import Text

from clf_cli.engine.onnx_export import OnnxExportResult
from clf_cli.engine.onnx_rescore import Rescored
from clf_cli.render.text import counted, decimal, percent


def lines(result: OnnxExportResult) -> tuple[str, ...]:
    """What was written, how well it agrees, what to know, and the command to type next."""
    graph = result.graph
    samples = f"with {counted(result.golden, 'golden sample')}" if result.golden else "without golden samples"
    return (
        f"{result.path}: {result.model.weights} weights, opset {graph.opset}, {graph.bytes / 1e6:.1f} MB, {samples}.",
        f"Its logits agree with the checkpoint's to {result.relative_difference:.1e}.",
        *([] if result.rescored is None else [_scored(result.rescored)]),
        *result.notes,
        f"Next: {result.next_command}",
    )


def unscored(result: OnnxExportResult) -> str | None:
    """The warning that a file's score is not proved, and why; None where it is."""
    if result.unscored is None:
        return None
    says = "has no score" if result.score is None else "says score.rescored false"
    return f"{result.unscored}; so the file's score was not checked, and its contract {says}."


def _scored(rescored: Rescored) -> str:
    like = "the stored score" if rescored.compared_with == "stored score" else "as torch does"
    counts = f"{counted(len(rescored.answers), 'image')}, {counted(rescored.ties, 'tie')}"
    value = math.nan if rescored.value is None else rescored.value
    told = decimal(value) if rescored.metric.endswith("loss") else percent(value)
    return f"It scores {rescored.metric} {told}, {like} ({counts})."


def table(result: OnnxExportResult) -> RenderableType:
    """The same, for a terminal."""
    return Group(*(Text(line) for line in lines(result)))
