"""What a person reads of the machine."""

import pytest
from rich.console import Console

from clf_cli.engine.doctor import DoctorResult
from clf_cli.engine.doctor_check import Check
from clf_cli.render.doctor import table

FINE = Check("hardware", "memory", "[bold]8 GB")
SLOW = Check("hardware", "cuda", "no device", "warning", "Install another torch.")
BAD = Check("folders", "runs", "cannot be written", "problem", "Name another.")


def shown(*checks):
    console = Console(width=80)
    with console.capture() as capture:
        console.print(table(DoctorResult({}, checks)))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_groups_statuses_and_hints():
    assert shown(FINE, SLOW, BAD) == [
        "hardware",
        "ok        memory  [bold]8 GB",
        "warning   cuda    no device",
        "                  Install another torch.",
        "folders",
        "problem   runs    cannot be written",
        "                  Name another.",
        "1 problem, 1 warning.",
    ]


@pytest.mark.parametrize(
    ("checks", "last"),
    [((FINE,), "All is well."), ((SLOW, SLOW), "2 warnings."), ((BAD, BAD), "2 problems.")],
)
def test_the_last_line_sums_up(checks, last):
    assert shown(*checks)[-1] == last
