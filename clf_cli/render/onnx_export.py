"""An export, as lines for people."""

from rich.console import Group, RenderableType
from rich.text import Text

from clf_cli.engine.onnx_export import OnnxExportResult
from clf_cli.render.text import counted


def lines(result: OnnxExportResult) -> tuple[str, ...]:
    """What was written, how well it agrees, what to know, and the command to type next."""
    graph = result.graph
    samples = f"with {counted(result.golden, 'golden sample')}" if result.golden else "without golden samples"
    return (
        f"{result.path}: {result.model.weights} weights, opset {graph.opset}, {graph.bytes / 1e6:.1f} MB, {samples}.",
        f"Its logits agree with the checkpoint's to {result.relative_difference:.1e}.",
        *result.notes,
        f"Next: {result.next_command}",
    )


def table(result: OnnxExportResult) -> RenderableType:
    """The same, for a terminal."""
    return Group(*(Text(line) for line in lines(result)))
