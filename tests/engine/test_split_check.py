"""Leaks between the splits that data bring."""

from dataclasses import replace

import pytest

from clf_cli.data.samples import SPLITS
from clf_cli.engine.split_check import check_split
from clf_cli.errors import UsageError
from tests.drafts import draft_of, rows


def split_rows(count=12):
    return [replace(row, split=SPLITS[i % 3]) for i, row in enumerate(rows(count))]


def test_no_leak():
    result = check_split(draft_of(split_rows()), None, near_duplicates=False)
    assert result.passed
    assert result.to_result() == {
        "passed": True,
        "images": {"train": 4, "val": 4, "test": 4},
        "near_duplicates": False,
        "group_by": None,
        "leaks": [],
    }


def test_equal_images_in_two_splits():
    samples = split_rows()
    contents = dict.fromkeys((samples[2].path, samples[0].path, samples[3].path), "x")
    (leak,) = check_split(draft_of(samples, contents), None, near_duplicates=False).leaks
    assert leak.splits == ("train", "test")
    assert leak.reason == f"{samples[0].path} holds the same bytes as {samples[2].path}"
    assert [row.split for row in leak.rows] == ["train", "train", "test"]
    assert leak.to_json()["images"][2] == {"path": samples[2].path, "label": samples[2].label, "split": "test"}


def test_copies_in_one_split_are_no_leak():
    samples = split_rows()
    contents = dict.fromkeys((samples[0].path, samples[3].path), "x")
    assert check_split(draft_of(samples, contents), None, near_duplicates=False).passed


def test_groups_of_the_rows_and_of_the_flag():
    samples = [replace(row, metadata={"game": i // 3}) for i, row in enumerate(split_rows())]
    assert check_split(draft_of(samples), None, near_duplicates=False).passed
    assert len(check_split(draft_of(samples), "game", near_duplicates=False).leaks) == 4
    samples = [replace(row, group=str(i // 6)) for i, row in enumerate(split_rows())]
    leaks = check_split(draft_of(samples), None, near_duplicates=False).leaks
    assert [leak.splits for leak in leaks] == [("train", "val", "test")] * 2
    assert "is of one group with" in leaks[0].reason


@pytest.mark.parametrize("splits", [[None], ["train"]])
def test_data_without_splits_are_refused(splits):
    samples = [replace(row, split=splits[0]) for row in rows(6)]
    with pytest.raises(UsageError, match="no splits to check"):
        check_split(draft_of(samples), None, near_duplicates=False)
