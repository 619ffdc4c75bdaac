"""Rows that findings name, by path or by manifest line, and no others."""

from pathlib import Path

import pytest

from clf_cli.data.codes import CODES
from clf_cli.data.samples import Finding, Listing, Sample
from clf_cli.engine.clean import CleanResult, chosen_codes, clean
from clf_cli.errors import UsageError

ROWS = (
    Sample("train/a/1.png", "a", "train", source="train/a"),
    Sample("train/b/2.png", "b", "train", source="all.jsonl:2"),
    Sample("val/a/3.png", "a", "val", source="val/a"),
    Sample("val/b/4.png", "b", "val", source="all.jsonl:4"),
    Sample("val/b/4.png", "c", "val", source="all.jsonl:5"),
)


def cleaned(*findings: Finding, drop=("error",), rows=ROWS, told=(), places=()) -> CleanResult:
    return clean(Listing(Path("/data"), rows, ("train", "val"), told), [*told, *findings], drop, places)


def gone(result: CleanResult) -> list[tuple[str, str]]:
    return [(one.row.path, one.row.label) for one in result.dropped]


def test_by_path_and_by_line():
    by_path = cleaned(Finding.of("CLF103", "train/a/1.png", "cut off"), drop=["CLF103"])
    assert gone(by_path) == [("train/a/1.png", "a")]
    by_line = cleaned(Finding.of("CLF501", "all.jsonl:5", "unknown"), drop=["CLF501"])
    assert gone(by_line) == [("val/b/4.png", "c")]
    every_row = cleaned(Finding.of("CLF103", "val/b/4.png", "cut off"), drop=["CLF103"])
    assert gone(every_row) == [("val/b/4.png", "b"), ("val/b/4.png", "c")]


def test_every_place_of_a_finding_and_the_first_reason():
    one = Finding.of("CLF705", "train/a/1.png", "near-constant", others=("train/b/2.png",))
    two = Finding.of("CLF706", "train/b/2.png", "dark")
    result = cleaned(one, two, drop=["quality"])
    assert [(gone.codes, gone.reason) for gone in result.dropped] == [
        (("CLF705",), "near-constant"),
        (("CLF705", "CLF706"), "near-constant"),
    ]
    assert [row.path for row in result.kept] == ["val/a/3.png", "val/b/4.png", "val/b/4.png"]


def test_what_is_not_chosen_stays():
    finding = Finding.of("CLF103", "train/a/1.png", "cut off")
    assert not cleaned(finding, drop=["quality"]).dropped
    assert not cleaned(Finding.of("CLF504", "train/a", "empty class"), drop=["warning"]).dropped
    assert not cleaned(Finding.of("CLF411", "train/a/1.png", "again"), drop=["warning"]).dropped


def test_a_class_that_lost_train_leaves_val():
    result = cleaned(Finding.of("CLF103", "train/b/2.png", "cut off"))
    assert gone(result) == [("train/b/2.png", "b"), ("val/b/4.png", "b"), ("val/b/4.png", "c")]
    assert result.dropped[1].reason == 'class "b" has no train image left'
    kept = cleaned(Finding.of("CLF103", "train/b/2.png", "cut off"), drop=["unreadable"])
    assert gone(kept) == [("train/b/2.png", "b")]


def test_lines_that_give_no_row_are_told():
    told = (Finding.of("CLF201", "all.jsonl:9", "not JSON"), Finding.of("CLF801", "", "hidden files"))
    result = cleaned(told=told, drop=["CLF103"])
    assert [finding.path for finding in result.unread] == ["all.jsonl:9"]
    assert [one["path"] for one in result.to_result()["unread"]] == ["all.jsonl:9"]


def test_words_are_severities_categories_and_codes():
    assert chosen_codes(["unreadable", "CLF303"]) == {
        *(code for code in CODES if code.startswith("CLF10") and CODES[code].category == "unreadable"),
        "CLF303",
    }
    assert {CODES[code].severity for code in chosen_codes(["error"])} == {"error"}
    assert not any(CODES[code].category in ("leak", "duplicate") for code in chosen_codes(["warning", "info"]))


@pytest.mark.parametrize(
    ("word", "command"), [("leak", "clf split"), ("CLF411", "clf dedupe"), ("duplicate", "clf dedupe")]
)
def test_copies_are_for_other_commands(word, command):
    with pytest.raises(UsageError) as raised:
        chosen_codes([word])
    assert raised.value.hint is not None
    assert command in raised.value.hint


@pytest.mark.parametrize("word", ["suspect", "CLF901"])
def test_disputed_labels_take_a_model(word):
    with pytest.raises(UsageError, match="clf inspect-dataset --model"):
        chosen_codes([word])


def test_rows_that_are_named():
    result = cleaned(Finding.of("CLF103", "train/a/1.png", "cut off"), drop=[], places=["val/a/3.png", "all.jsonl:5"])
    assert [(one.row.path, one.row.label, one.codes, one.reason) for one in result.dropped] == [
        ("val/a/3.png", "a", (), "named by --rows"),
        ("val/b/4.png", "c", (), "named by --rows"),
    ]
    both = cleaned(Finding.of("CLF103", "val/a/3.png", "cut off"), drop=["CLF103"], places=["val/a/3.png"])
    assert [(one.codes, one.reason) for one in both.dropped] == [(("CLF103",), "cut off")]


def test_places_without_a_row_are_refused():
    with pytest.raises(UsageError, match=r"no row is at all.jsonl:3 and 1 more"):
        cleaned(places=["all.jsonl:3", "val/a/3.png", "x.png"])
