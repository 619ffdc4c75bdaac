"""Images that two models call different names: a table and a grid with both answers."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.engine.flips import Flip, FlipsResult
from clf_cli.render.figures import BLUE, GREEN, VERMILLION, Pixels
from clf_cli.render.grid import Tile, grid
from clf_cli.render.samples import answer, truth
from clf_cli.render.text import counted, label, percent


def table(result: FlipsResult) -> RenderableType:
    """How many flips, then one row for each of those shown."""
    if not result.flips:
        return Text(summary(result))
    rows = Table()
    for name in ("image", "true", "model", "other", "right"):
        rows.add_column(name, overflow="fold")
    for flip in result.flips:
        ours, theirs = flip.model, flip.other
        who = "model" if ours.correct else "other" if theirs.correct else "neither"
        answers = (
            Text(f"{label(said.predicted)}  {percent(said.confidence, 0)}", "green" if said.correct else "red")
            for said in (ours, theirs)
        )
        rows.add_row(Text(ours.path), Text(label(ours.true)), *answers, f"{who}, a tie" if flip.tie else who)
    return Group(rows, Text(summary(result)))


def summary(result: FlipsResult) -> str:
    """One line: how many images are predicted differently, who is right, and how many are ties."""
    if not result.total:
        return f"Both models predict the same for all of {counted(result.images, 'image')}"
    parts = (
        f"{result.total:,} of {counted(result.images, 'image')} predicted differently",
        f"only the model is right on {result.only_model_right:,}, only the other one on {result.only_other_right:,}, "
        f"neither on {result.neither_right:,}",
        f"{counted(result.ties, 'tie')}, which either may win" if result.ties else "",
        f"{len(result.flips):,} shown" if len(result.flips) < result.total else "",
    )
    return " · ".join(part for part in parts if part)


def figure(result: FlipsResult, thumbnails: Sequence[Pixels], name: str, split: str) -> Figure:
    """The flips in rows: A's answer above B's, with a green frame where A is right, blue: B, orange: neither.

    `thumbnails` are the images in the order of the flips; `name` is what the user calls A.
    """
    lines = (
        f"A: {name} · B: {result.other_name}",
        summary(result).replace("the model", "A").replace("the other one", "B"),
        *(("green frame: only A is right · blue: only B · orange: neither · ≈ a tie",) if result.flips else ()),
    )
    tiles = [_tile(flip, pixels) for flip, pixels in zip(result.flips, thumbnails, strict=True)]
    return grid(f"Predicted differently: {split}", lines, tiles)


def _tile(flip: Flip, pixels: Pixels) -> Tile:
    ours, theirs = flip.model, flip.other
    frame = GREEN if ours.correct else BLUE if theirs.correct else VERMILLION
    sign = "≈" if flip.tie else ""
    captions = (
        truth(ours.true),
        answer(ours.predicted, ours.confidence, ours.correct, prefix=f"A{sign} "),
        answer(theirs.predicted, theirs.confidence, theirs.correct, prefix=f"B{sign} "),
    )
    return Tile(pixels, frame, captions)
