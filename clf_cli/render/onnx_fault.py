"""The stages at fault, in sentences."""

from collections.abc import Sequence

from clf_cli.engine.onnx_fault import Fault
from clf_cli.render.text import UNDEFINED, counted, percent


def told(faults: Sequence[Fault], found: str, expected: str) -> list[str]:
    """A line for each; `found` and `expected` are what is said before the two: `The file has`, `the checkpoint`."""
    lines = []
    for number, fault in enumerate(faults):
        first = "The stage at fault" if number == 0 else "Also at fault"
        lines.append(f"{first}: {fault.stage}. {found} {fault.found}, {expected} {fault.expected}; {_gain(fault)}.")
    return lines


def _gain(fault: Fault) -> str:
    if not fault.images:
        return "none of these images shows it"
    shares = f"{percent(fault.agreement_with)} agree, without {percent(fault.agreement_without)}"
    numbers = (fault.difference_with, fault.difference_without)
    words = ""
    if any(number is not None for number in numbers):
        close, far = (_small(number) for number in numbers)
        words = f" (logits differ by {close}, without by {far})"
    return f"with the latter {shares} of {counted(fault.images, 'image')}{words}"


def _small(number: float | None) -> str:
    return f"{number:.1e}" if number is not None and number == number else UNDEFINED  # noqa: PLR0124 - NaN
