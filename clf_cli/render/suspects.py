"""Images whose label is disputed, as a table."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.data.samples import printable
from clf_cli.engine.suspects import FOLDS_HINT, Suspects
from clf_cli.render.text import counted, decimal, label, percent

SHOWN = 20  # rows of the table


def table(suspects: Suspects, limit: int | None = SHOWN) -> RenderableType:
    """One row per image, the most surely disputed first, and how many were not judged."""
    rows = Table(title="Disputed labels", title_justify="left")
    for name in ("image", "label", "taken for"):
        rows.add_column(name, overflow="fold")
    for name in ("sure", "score"):
        rows.add_column(name, justify="right")
    for image in suspects.images[:limit]:
        names = (Text(printable(image.path)), Text(label(image.label)), Text(label(image.predicted)))
        rows.add_row(*names, percent(image.probability, 0), decimal(image.score, 2))
    return Group(*([rows] if suspects.images else []), *(Text(line) for line in lines(suspects, limit)))


def lines(suspects: Suspects, limit: int | None = SHOWN) -> tuple[str, ...]:
    """How many labels are disputed, of how many; what was not judged, and how it could be."""
    found, judged = counted(len(suspects.images), "label"), counted(suspects.judged, "image")
    hidden = 0 if limit is None else max(0, len(suspects.images) - limit)
    told = [
        f"Disputed: {found} of {judged} judged" + (f"; the first {limit} are shown, --json has all" if hidden else "")
    ]
    if suspects.not_judged:
        by = "the model was" if len(suspects.models) == 1 else "every model was"
        told += [f"Not judged: {counted(suspects.not_judged, 'image')} that {by} trained on. {FOLDS_HINT}"]
    return tuple(told)
