"""Two models on the same images, as tables and as rows of a CSV file."""

import math
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.engine.compare import ChangedAnswer, CompareResult, Gate, Side
from clf_cli.render.csv import harmless
from clf_cli.render.text import UNDEFINED, counted, decimal, label, percent

FLIPS, CLASSES, NAMED = 20, 10, 8  # rows that are shown; --json has all
HEADER = ("path", "true", "a", "b", "right", "tie")
_RIGHT = {"a": "A", "b": "B", None: "neither"}


def table(result: CompareResult) -> RenderableType:
    """Both scores with the difference, what chance says of it, the classes and images that changed, and the gates."""
    parts: list[RenderableType] = [Text(line) for line in (_who("A, the baseline", result.a), _b(result))]
    parts += [_scores(result), *(Text(line) for line in _lines(result))]
    if any(change.right_a != change.right_b for change in result.classes):
        parts.append(_classes(result))
    if result.flips:
        parts.append(_flips(result.flips))
    return Group(*parts, *(Text(_gate(gate)) for gate in result.gates))


def rows(result: CompareResult) -> Iterator[tuple[str, ...]]:
    """The images with another answer, as HEADER names the columns; `right` is a, b or neither."""
    for flip in result.flips:
        names = map(harmless, (flip.path, flip.true, flip.a, flip.b))
        yield *names, flip.right or "neither", "yes" if flip.tie else "no"


def _who(role: str, side: Side) -> str:
    model = side.model
    file = [] if side.name.endswith(model.path) else [model.path]
    return f"{role}: {side.name} ({', '.join([*file, model.arch, f'{model.weights} weights'])})"


def _b(result: CompareResult) -> str:
    return _who("B, the candidate", result.b)


def _scores(result: CompareResult) -> Table:
    predictions = result.a.metrics.predictions
    left_out = f" · {counted(len(predictions.skipped), 'image')} left out" if predictions.skipped else ""
    grid = Table(title=f"{counted(len(predictions), 'image')}{left_out}", title_justify="left")
    for name in ("", "A", "B", "B less A"):
        grid.add_column(name, justify="right" if name else "left")
    a, b, difference = result.a.metrics, result.b.metrics, result.difference
    grid.add_row("top-1 accuracy", percent(a.acc_top1, 2), percent(b.acc_top1, 2), points(difference["acc_top1"]))
    grid.add_row("macro F1", percent(a.f1_macro, 2), percent(b.f1_macro, 2), points(difference["f1_macro"]))
    loss = round(difference["loss"], 4) + 0.0  # no -0.0000
    grid.add_row("loss", decimal(a.loss), decimal(b.loss), f"{loss:+.4f}" if math.isfinite(loss) else UNDEFINED)
    return grid


def _lines(result: CompareResult) -> list[str]:
    found = result.outcomes
    lines = [f"classes that only {who} knows: {_named(names)}" for who, names in _strangers(result) if names]
    if result.identical:
        return [*lines, "The answers are identical: every logit of every image is equal."]
    if not result.flips:
        return [*lines, f"Every image gets the same answer from both: {found.both_right:,} right ones."]
    low, high = (f"{100 * value:+.2f}" for value in result.interval)
    chance = "chance alone hardly explains it" if result.p < 0.05 else "chance alone may explain it"
    ties = f"; {counted(result.tied, 'answer')} of one of them a tie" if result.tied else ""
    return [
        *lines,
        f"right: only A {found.only_a_right:,} (regressions), only B {found.only_b_right:,}, "
        f"both {found.both_right:,}, neither {found.both_wrong:,} "
        f"({found.both_wrong_differently:,} with two different answers){ties}",
        f"top-1 accuracy B less A: {points(result.difference['acc_top1'])}, 95 % interval {low} to {high}; "
        f"McNemar's p = {result.p:.3g}: {chance}",
    ]


def _strangers(result: CompareResult) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return ("A", result.only_in_a), ("B", result.only_in_b)


def _named(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(label(name) for name in names[:NAMED]) + more


def _classes(result: CompareResult) -> Table:
    changed = [change for change in result.classes if change.right_a != change.right_b]
    changed.sort(key=lambda change: (-abs(change.difference), change.difference, -change.support))
    grid = Table(title=f"{counted(len(changed), 'class')} changed", title_justify="left")
    for name in ("class", "images", "A", "B", "B less A"):
        grid.add_column(name, justify="left" if name == "class" else "right")
    for change in changed[:CLASSES]:
        shares = percent(change.accuracy_a), percent(change.accuracy_b)
        grid.add_row(Text(label(change.label)), f"{change.support:,}", *shares, points(change.difference))
    if len(changed) > CLASSES:
        grid.add_row(f"and {len(changed) - CLASSES} more")
    return grid


def _flips(flips: tuple[ChangedAnswer, ...]) -> Table:
    grid = Table(title=f"{counted(len(flips), 'image')} with another answer, regressions first", title_justify="left")
    for name in ("image", "true", "A", "B", "right", ""):
        grid.add_column(name, overflow="fold")
    for flip in flips[:FLIPS]:
        names = (label(flip.true), label(flip.a), label(flip.b))
        grid.add_row(Text(flip.path), *(Text(name) for name in names), _RIGHT[flip.right], "tie" if flip.tie else "")
    if len(flips) > FLIPS:
        grid.add_row(f"and {len(flips) - FLIPS:,} more (--json lists all)")
    return grid


def _gate(gate: Gate) -> str:
    answer = "passed" if gate.passed else "not passed"
    named = f" ({_named(gate.classes)})" if gate.classes else ""
    return f"gate {gate.name}: {100 * gate.value:.2f} points, at most {100 * gate.limit:g}: {answer}{named}"


def points(difference: float) -> str:
    """A difference of two fractions in percentage points, with its sign."""
    return f"{100 * difference:+.2f} points" if math.isfinite(difference) else UNDEFINED
