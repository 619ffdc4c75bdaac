"""The stages at fault, in sentences."""

from collections.abc import Sequence

from clf_cli.engine.onnx_fault import Fault
from clf_cli.render.text import UNDEFINED, counted, percent


def of_file(faults: Sequence[Fault], other: str = "the checkpoint") -> list[str]:
    """A line for each stage of an ONNX file; `other` is what has it otherwise."""
    return [
        f"{_name(number, fault)} The file has {fault.found}, {other} {fault.expected}; "
        f"{_gain(fault, 'with the latter', 'logits')}."
        for number, fault in enumerate(faults)
    ]


def of_program(faults: Sequence[Fault], what: str) -> list[str]:
    """A line for each stage of a program, whose answers tell `what`: clf does it the same way, and agrees."""
    return [
        f"{_name(number, fault)} The program has {fault.found}, the contract {fault.expected}; "
        f"{_gain(fault, 'done that way by clf too,', what)}."
        for number, fault in enumerate(faults)
    ]


def _name(number: int, fault: Fault) -> str:
    return f"{'Also at fault' if number else 'The stage at fault'}: {fault.stage}."


def _gain(fault: Fault, how: str, what: str) -> str:
    if not fault.images:
        return "none of these images shows it"
    shares = f"{percent(fault.agreement_with)} agree, without {percent(fault.agreement_without)}"
    numbers = (fault.difference_with, fault.difference_without)
    words = ""
    if any(number is not None for number in numbers):
        close, far = (_small(number) for number in numbers)
        words = f" ({what} differ by {close}, without by {far})"
    return f"{how} {shares} of {counted(fault.images, 'image')}{words}"


def _small(number: float | None) -> str:
    return f"{number:.1e}" if number is not None and number == number else UNDEFINED  # noqa: PLR0124 - NaN
