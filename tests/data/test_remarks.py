"""What to do next is something that helps."""

import pytest

from clf_cli.data.remarks import LISTED, hint_for, notes_of
from clf_cli.data.samples import Finding
from clf_cli.values.labels import Labels


@pytest.mark.parametrize("code", ["CLF107", "CLF205"])
def test_no_flag_opens_a_folder_or_a_manifest(code):
    hint = hint_for([Finding.of(code, "a", "Permission denied")])
    assert "permissions" in hint
    assert "--on-bad-image" not in hint
    assert "line" not in hint


def test_each_kind_has_its_hint_once():
    codes = ("CLF107", "CLF103", "CLF104", "CLF301")
    hint = hint_for(Finding.of(code, "a", "b") for code in codes)
    assert [hint.count(word) for word in ("permissions", "--on-bad-image skip", "--on-label-conflict")] == [1, 1, 1]


def test_ten_thousand_warnings_of_one_kind_are_a_page_and_a_count():
    empty = [Finding.of("CLF504", f"c{number}", "class folder without images") for number in range(10_000)]
    alike = Finding.of("CLF601", "", 'class names differ only by case: "A", "a"')
    notes = notes_of((), Labels(("A", "a")), (), [*empty, alike])
    assert notes[:LISTED] == tuple(f"{finding}." for finding in empty[:LISTED])
    assert notes[LISTED:] == ("And 9,980 more: class folder without images (CLF504).", f"{alike}.")
