"""What `clf verify-resume` found, as a person reads it."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.training.verified import Part, VerifyResumeResult

SHOWN = 5  # names of a part that are shown


def table(result: VerifyResumeResult) -> RenderableType:
    """The parts that were compared, then the answer."""
    grid = Table()
    for title in ("part", "values", "different", "largest difference"):
        grid.add_column(title, justify="left" if title == "part" else "right")
    for part in result.parts:
        largest = f"{part.largest:.2g}" if part.different else "–"
        grid.add_row(Text(part.name), f"{part.values:,}", f"{len(part.different):,}", largest)
    names = [line for part in result.parts if part.different for line in _named(part)]
    return Group(grid, *map(Text, (*names, *_answer(result))))


def _named(part: Part) -> tuple[str, ...]:
    more = len(part.different) - SHOWN
    shown = ", ".join(part.different[:SHOWN]) + (f" and {more} more" if more > 0 else "")
    return (f"Different {part.name}: {shown}",)


def _answer(result: VerifyResumeResult) -> tuple[str, ...]:
    where = f"{result.arch} on {result.device}, {result.precision}, threads {result.threads}, workers {result.workers}"
    if result.equal:
        what = f"killed after step {result.killed_after} of {result.steps} and continued"
        return (f"Equal to the last bit: a run {what}, and one left alone ({where}; {result.seconds:.0f} s).",)
    return (f"Not equal ({where}; {result.seconds:.0f} s).", *result.reasons)
