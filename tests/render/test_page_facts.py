import math
import shlex
from dataclasses import replace

import pytest

from clf_cli.engine.report_page import Mistakes, report_page
from clf_cli.render.page_classes import class_rows
from clf_cli.render.page_facts import commands, facts, headline, notices, size_text, time_text
from clf_cli.render.page_shares import ENDS, shares
from tests.report_pages import with_classes


@pytest.fixture(scope="module")
def page(tiny_run):
    return report_page(tiny_run, Mistakes())


def test_the_first_numbers_have_their_intervals(page):
    figures = headline(page)
    assert [figure.title for figure in figures] == [
        "Validation accuracy",
        "Test accuracy",
        "Macro F1",
        "Calibration error",
    ]
    assert figures[0].value == f"{100 * page.numbers['val/acc_top1']:.1f} %"
    assert figures[0].notes[0] == "24 images"
    assert figures[0].notes[1].startswith("95 %: ")
    without = replace(page, scores={"val": replace(page.scores["val"], intervals={})})
    assert headline(without)[0].notes == ("24 images", "")
    assert headline(replace(page, scores={})) == []


def test_a_finished_run_has_nothing_to_warn_of(page):
    assert notices(page) == []


@pytest.mark.parametrize(
    ("status", "validated", "says"),
    [
        ("running", True, "has not finished"),
        ("failed", True, "ended early (failed)"),
        ("finished", False, "Never validated"),
    ],
)
def test_what_a_reader_must_know_stands_first(page, status, validated, says):
    found = notices(replace(page, record=replace(page.record, status=status, validated=validated)))
    assert says in found[0][1]
    assert found[0][0] == "warn"


def test_a_failed_export_is_said(page):
    found = notices(replace(page, train=replace(page.train, export_error="no space <left>")))
    assert found == [("bad", "The export failed: no space <left>")]
    found = notices(replace(page, export=replace(page.export, passed=False, reasons=("a", "b"))))
    assert found == [("bad", "The ONNX file did not pass its check: a; b.")]


def test_commands_are_safe_to_paste(page):
    odd = replace(
        page, path="runs/it's; rm -rf ~", record=replace(page.record, command=("clf", "train", "--data", "a b"))
    )
    texts = [command.text for command in commands(odd)]
    assert shlex.split(texts[0]) == ["clf", "train", "--config", "runs/it's; rm -rf ~/settings.toml"]
    assert shlex.split(texts[1]) == ["clf", "train", "--data", "a b"]
    assert shlex.split(texts[-1]) == ["clf", "report", "runs/it's; rm -rf ~"]


def test_an_unfinished_run_goes_on_instead_of_being_scored(page):
    texts = [c.text for c in commands(replace(page, path="runs/x", record=replace(page.record, status="interrupted")))]
    assert "clf train --resume runs/x" in texts
    assert not any(text.startswith("clf evaluate") for text in texts)


def test_the_weakest_class_comes_first_and_unmeasured_ones_last(page):
    many = with_classes(page, [f"{i:03d}" for i in range(40)])
    rows = class_rows(many)
    assert [row.weakness for row in rows] == sorted(row.weakness for row in rows)
    assert math.isinf(rows[-1].weakness)
    wrong = next(row for row in rows if row.taken_for)
    name, count = wrong.taken_for
    true, predicted = (many.confusions["val"].labels.indices[label] for label in (wrong.name, name))
    assert many.confusions["val"].counts[true, predicted] == count > 0


def test_facts_hold_what_the_run_says(page):
    found = {section: dict(pairs) for section, pairs in facts(page).items()}
    assert found["summary"]["Network"] == "test_resnet"
    assert found["summary"]["Started from"] == "random weights"
    assert found["data"]["Images"] == "108 in 3 classes"
    assert found["export"]["Opset"] == "18"
    assert found["contract"]["Resize"].startswith("squash to 32 × 32")
    assert found["environment"]["torch"] == page.versions["torch"]


def test_shares_are_sorted_and_a_long_list_shows_both_ends(page):
    found = shares(page.data)
    assert [row.total for row in found.rows] == [36, 36, 36]
    assert found.rows[0].parts[0][1] == pytest.approx(100 * 20 / 36)
    counts = {f"{i:04d}": {"train": i + 1} for i in range(500)}
    found = shares(replace(page.data, counts=counts))
    totals = [row.total for row in found.rows if row is not None]
    assert totals == sorted(totals, reverse=True)
    assert len(totals) == 2 * ENDS
    assert found.hidden == 500 - 2 * ENDS
    assert found.rows[ENDS] is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.72, "3.7 s"), (41, "41 s"), (60, "1 min"), (1095, "18 min 15 s"), (11_100, "3 h 5 min"), (187_200, "2 d 4 h")],
)
def test_durations(seconds, text):
    assert time_text(seconds) == text


def test_sizes():
    assert [size_text(n) for n in (12, 1200, 13_578_376, 2.5e9)] == ["12 bytes", "1.2 kB", "13.6 MB", "2.5 GB"]
