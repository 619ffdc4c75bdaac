"""Whether a program of one's own answers like the ONNX file, as tables."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.engine.onnx_answers_check import OnnxAnswersResult, OtherAnswer
from clf_cli.render.junit import Case
from clf_cli.render.onnx_fault import of_program
from clf_cli.render.text import UNDEFINED, counted, label, percent

SHOWN = 20


def table(result: OnnxAnswersResult) -> RenderableType:
    """How many answers agree, the images with another class, and what the program does otherwise."""
    parts: list[RenderableType] = [_others(result.others)] if result.others else []
    return Group(*parts, *(Text(line) for line in _lines(result)))


def cases(result: OnnxAnswersResult) -> tuple[Case, ...]:
    """One check for JUnit, with the stages at fault and the images that differ."""
    others = tuple(f"{one.path}: clf {one.clf!r}, answer {one.answer!r}" for one in result.others)
    return (Case("answers", result.reasons, (*_verdict(result), *others)),)


def _others(others: tuple[OtherAnswer, ...]) -> Table:
    grid = Table(title=f"{counted(len(others), 'image')} with another class", title_justify="left")
    for name in ("image", "true", "clf", "answer", ""):
        grid.add_column(name)
    for one in others[:SHOWN]:
        names = (label(one.label), label(one.clf), label(one.answer))
        grid.add_row(Text(one.path), *(Text(name) for name in names), "tie" if one.tie else "")
    if len(others) > SHOWN:
        grid.add_row(f"and {len(others) - SHOWN} more (--json lists all)")
    return grid


def _lines(result: OnnxAnswersResult) -> list[str]:
    rest = [
        f"{count:,} {what}"
        for count, what in ((result.abstained, "without a class"), (result.failed, "with an error"))
        if count
    ]
    lines = [", ".join([f"{counted(result.images, 'answer')} in {result.file}, which tell {result.told}", *rest])]
    differ = "" if result.difference is None else f"; {result.told} differ by up to {result.difference:.1e}"
    lines.append(f"the same class: {percent(result.agreement)} ({counted(result.ties, 'tie')} aside){differ}")
    accuracies = [UNDEFINED if one is None else percent(one, 2) for one in (result.clf_accuracy, result.accuracy)]
    lines.append(f"accuracy: clf {accuracies[0]}, the answers {accuracies[1]}")
    if result.passed:
        return [*lines, "The answers agree."]
    return [*lines, "No:", *(f"- {reason}" for reason in result.reasons), *_verdict(result)]


def _verdict(result: OnnxAnswersResult) -> list[str]:
    found = result.explanation
    if found is None:
        return []
    sentences = of_program(found.faults, result.told)
    if found.reproduced:
        also = [f"Labels alone do not tell it from: {'; '.join(found.also)}."] if found.also else []
        return [*sentences, *also]
    none = "None of the known ways to be wrong gives these answers."
    if not found.faults:
        return [f"{none} clf's own comes nearest."]
    nearest = [line.replace("The stage at fault", "The nearest").replace("Also at fault", "with") for line in sentences]
    return [none, *nearest]
