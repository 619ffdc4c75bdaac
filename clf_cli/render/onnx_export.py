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
        f"Its logits {_agree(result)} {result.relative_difference:.1e}.",
        *([] if result.rescored is None else [_scored(result.rescored, _narrowed(result))]),
        *result.notes,
        f"Next: {result.next_command}",
    )


def unscored(result: OnnxExportResult) -> str | None:
    """The warning that a file's score is not proved, and why; None where it is."""
    if result.unscored is None:
        return None
    says = "has no score" if result.score is None else "says score.rescored false"
    return f"{result.unscored}; so the file's score was not checked, and its contract {says}."


def _scored(rescored: Rescored, narrowed: bool) -> str:
    like = "the stored score" if rescored.compared_with == "stored score" else "as torch does"
    counts = f"{counted(len(rescored.answers), 'image')}, {counted(rescored.ties, 'tie')}"
    before = f" in float32 {_value(rescored.metric, rescored.wanted)}," if narrowed else ""
    first = rescored.stored is None and rescored.score is not None and rescored.score.rescored
    after = "; these weights had no score before" if first else ""
    return f"It scores {rescored.metric} {_value(rescored.metric, rescored.value)},{before} {like} ({counts}){after}."


def _value(metric: str, value: float | None) -> str:
    number = math.nan if value is None else value
    return decimal(number) if metric.endswith("loss") else percent(number)


def _narrowed(result: OnnxExportResult) -> bool:
    return result.made.quantizer is not None


def _agree(result: OnnxExportResult) -> str:
    return "differ from the checkpoint's by up to" if _narrowed(result) else "agree with the checkpoint's to"


def table(result: OnnxExportResult) -> RenderableType:
    """The same, for a terminal."""
    return Group(*(Text(line) for line in lines(result)))
