"""What to do next is something that helps."""

import pytest

from clf_cli.data.remarks import hint_for
from clf_cli.data.samples import Finding


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
