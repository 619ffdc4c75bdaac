"""Every expected failure has a code of its own, a message and perhaps a next step."""

import re
from pathlib import Path

import pytest

from clf_cli import errors
from clf_cli.errors import ClfError

CODES = {
    "CheckFailedError": 1,
    "UsageError": 2,
    "DataError": 3,
    "ModelError": 4,
    "ExportError": 5,
    "RunError": 6,
    "UnwritableError": 6,
    "StoppedRunError": 143,
}


def children():
    return {name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, ClfError)}


def test_the_codes_of_version_1():
    assert {name: kind.exit_code for name, kind in children().items()} == {"ClfError": 70, **CODES}


def test_the_design_lists_the_same_codes():
    text = (Path(__file__).parents[1] / "docs" / "design.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+)(?: / (\d+))? \|", text, flags=re.MULTILINE)
    listed = {int(code) for row in rows for code in row if code}
    assert listed == {0, 70, 130, *CODES.values()}


@pytest.mark.parametrize("kind", children().values(), ids=children())
def test_message_and_hint_are_kept(kind):
    error = kind("what", "next step")
    assert (error.message, error.hint, str(error)) == ("what", "next step", "what")
    assert kind("what").hint is None
