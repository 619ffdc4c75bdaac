"""Which copy stays, and why."""

from pathlib import Path

import pytest

from clf_cli.data.draft import Draft
from clf_cli.data.samples import SPLITS, Listing, Sample
from clf_cli.data.scan import FileFacts, Scan
from clf_cli.engine.dedupe import DedupeResult, dedupe


def one_of_each(*rows: tuple[Sample, str, int, int], error: str | None = None) -> DedupeResult:
    """Rows with content, side in pixels, and bytes."""
    files = {
        row.path: FileFacts(side, side, "RGB", "PNG", size, content, False, error) for row, content, side, size in rows
    }
    samples = tuple(row for row, *_ in rows)
    splits = tuple(split for split in SPLITS if any(row.split == split for row in samples))
    return dedupe(Draft(Listing(Path("/data"), samples, splits), Scan(files)), near_duplicates=False)


def dropped(result: DedupeResult) -> dict[str, str]:
    return {row.row.path: row.reason for row in result.dropped}


def row(path: str, label: str = "a", split: str | None = None, group: str | None = None) -> Sample:
    return Sample(path, label, split, group)


def test_the_first_path_of_equal_files_stays():
    result = one_of_each((row("b"), "x", 8, 9), (row("c"), "y", 8, 9), (row("a"), "x", 8, 9), (row("d"), "x", 8, 9))
    assert dropped(result) == dict.fromkeys(("b", "d"), "holds the same bytes as a, which comes first")
    assert [kept.path for kept in result.kept] == ["c", "a"]
    assert {one.kept for one in result.dropped} == {"a"}


def test_a_row_that_repeats_stays_once():
    result = one_of_each((row("a"), "x", 8, 9), (row("a"), "x", 8, 9))
    assert [kept.path for kept in result.kept] == ["a"]
    assert dropped(result) == {"a": "is the same file as a, which comes first"}


def test_test_wins_over_val_and_val_over_train():
    result = one_of_each(
        (row("a", split="train"), "x", 8, 9),
        (row("b", split="val"), "x", 8, 9),
        (row("c", split="test"), "x", 8, 9),
        (row("d", split="train"), "z", 8, 9),
    )
    assert [kept.path for kept in result.kept] == ["c", "d"]
    assert dropped(result)["a"].endswith("c, which is in test")


def test_but_no_class_leaves_train():
    result = one_of_each(
        (row("a", "rare", "train"), "x", 8, 9),
        (row("b", "rare", "val"), "x", 8, 9),
        (row("c", "rare", "train"), "y", 8, 9),
        (row("d", "rare", "test"), "y", 8, 9),
        (row("e", "b", "train"), "z", 8, 9),
    )
    assert {kept.path for kept in result.kept} == {"a", "c", "e"}
    assert dropped(result)["b"] == 'holds the same bytes as a, which is in train, where class "rare" has no other'


def test_copies_under_two_labels_all_stay():
    result = one_of_each((row("a", "1"), "x", 8, 9), (row("b", "2"), "x", 8, 9), (row("c", "1"), "x", 8, 9))
    assert not result.dropped
    assert [[one.path for one in rows] for rows in result.conflicts] == [["a", "b", "c"]]


@pytest.mark.parametrize("content", ["", "empty"])
def test_files_that_cannot_be_used_are_no_copies(content):
    result = one_of_each((row("a"), content, 0, 0), (row("b"), content, 0, 0), error="empty file")
    assert not result.dropped
    assert len(result.kept) == 2


def test_groups_are_no_copies():
    result = one_of_each((row("a", group="1"), "x", 8, 9), (row("b", group="1"), "y", 8, 9))
    assert not result.dropped
    assert [kept.group for kept in result.kept] == ["1", "1"]


def test_the_report_names_every_row():
    result = one_of_each(
        (row("a"), "x", 8, 9), (row("b", "1"), "y", 8, 9), (row("c"), "x", 8, 9), (row("d", "2"), "y", 8, 9)
    )
    told = result.to_result()
    assert told["dropped"] == [
        {
            "path": "c",
            "label": "a",
            "split": None,
            "kept": "a",
            "reason": "holds the same bytes as a, which comes first",
        }
    ]
    assert told["conflicts"] == [[{"path": "b", "label": "1"}, {"path": "d", "label": "2"}]]
    assert told["kept"] == 3
