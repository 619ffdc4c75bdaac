import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from clf_cli.engine.compare import Contender, compare
from clf_cli.render.compare import FLIPS, points, rows, table
from clf_cli.render.compare_files import write_compare
from clf_cli.settings.sections import CompareSection
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions
from clf_cli.values.report import ModelRef, Report

LABELS = Labels(("", "[red]x[/]", "a\tb"))


def predictions(answers, name="image"):
    logits = np.eye(3, dtype=np.float32)[answers] * 4
    paths = tuple(f"[bold]{name},{number}.png" for number in range(len(answers)))
    return Predictions(paths, np.arange(len(answers)) % 3, logits, LABELS)


def result_of(ours, theirs, **gates):
    a, b = (
        Contender(name, ModelRef("export/model.onnx", "resnet18", "ema", "abc"), predictions(answers))
        for name, answers in (("runs/[b]a", ours), ("runs/b", theirs))
    )
    return compare(a, b, CompareSection(**gates), 0)


def text_of(result, width=200):
    console = Console(width=width, no_color=True)
    with console.capture() as capture:
        console.print(table(result))
    return capture.get()


RIGHT = np.arange(60) % 3


def test_both_models_their_scores_and_what_changed():
    shown = text_of(result_of(RIGHT, np.where(np.arange(60) < 3, 0, RIGHT), max_accuracy_drop=0.01))
    assert "A, the baseline: runs/[b]a (export/model.onnx, resnet18, ema weights)" in shown
    assert "B, the candidate: runs/b" in shown
    assert "60 images" in shown
    assert "│ 100.00 % │ 96.67 % │ -3.33 points │" in shown
    assert "right: only A 2 (regressions), only B 0, both 58, neither 0" in shown
    assert "McNemar's p = 0.5: chance alone may explain it" in shown
    assert "2 classes changed" in shown
    assert "│ [red]x[/] │     20 │ 100.0 % │ 95.0 % │ -5.00 points │" in shown
    assert "2 images with another answer, regressions first" in shown
    assert "│ [bold]image,1.png │ [red]x[/] │ [red]x[/] │ (empty) │ A     │" in shown
    assert "gate max_accuracy_drop: 3.33 points, at most 1: not passed" in shown


def test_many_changes_are_cut_and_counted():
    shown = text_of(result_of(RIGHT, (RIGHT + 1) % 3, per_class_max_accuracy_drop=0.5))
    assert f"and {60 - FLIPS} more (--json lists all)" in shown
    assert "chance alone hardly explains it" in shown
    assert "gate per_class_max_accuracy_drop: 100.00 points, at most 50: not passed ((empty), [red]x[/], a b)" in shown


def test_nothing_changed():
    shown = text_of(result_of(RIGHT, RIGHT))
    assert "The answers are identical: every logit of every image is equal." in shown
    assert "changed" not in shown
    assert "another answer" not in shown


def test_the_same_answers_from_other_logits():
    one = result_of(RIGHT, RIGHT)
    shown = text_of(replace(one, identical=False, difference={**one.difference, "loss": -1e-9}))
    assert "Every image gets the same answer from both: 60 right ones." in shown
    assert "+0.0000" in shown
    assert "chance" not in shown


def test_a_name_that_says_the_file_is_not_said_twice():
    one = result_of(RIGHT, RIGHT)
    shown = text_of(replace(one, a=replace(one.a, name="runs/a/export/model.onnx")))
    assert "runs/a/export/model.onnx (resnet18, ema weights)" in shown


def test_ties_and_strange_classes_are_told():
    other = predictions(RIGHT)
    logits = other.logits[:, [0, 1, 2]].copy()
    logits[0] = [4, 4 + 1e-6, 0]
    moved = Predictions(other.paths, other.targets, logits, Labels(("", "[red]x[/]", "new")))
    ref = ModelRef("m.onnx", "x", "live", None)
    result = compare(Contender("a", ref, other), Contender("b", ref, moved), CompareSection(), 0)
    shown = text_of(result)
    assert "classes that only A knows: a b" in shown
    assert "classes that only B knows: new" in shown
    assert "1 answer of one of them a tie" in shown


def test_a_narrow_terminal_keeps_the_paths():
    shown = text_of(result_of(RIGHT, np.where(np.arange(60) < 3, 0, RIGHT)), width=50)
    assert max(map(len, shown.splitlines())) <= 50
    assert "image" in shown


@pytest.mark.parametrize(
    ("difference", "words"), [(0.0123, "+1.23 points"), (-0.5, "-50.00 points"), (0, "+0.00 points")]
)
def test_points(difference, words):
    assert points(difference) == words
    assert points(float("nan")) == "–"


def test_paths_and_classes_are_no_formulas_in_a_spreadsheet():
    result = result_of(RIGHT, np.where(np.arange(60) < 3, 0, RIGHT))
    flip = replace(result.flips[0], path="=cmd()", true="@x", a="-1", b="+y")
    assert next(rows(replace(result, flips=(flip,))))[:4] == ("'=cmd()", "'@x", "-1", "'+y")


def test_files(tmp_path):
    result = result_of(RIGHT, np.where(np.arange(60) < 3, 0, RIGHT))
    report = Report(result)
    paths = write_compare(report, tmp_path / "new" / "compare")
    assert [path.name for path in paths] == ["compare.json", "compare.csv"]
    assert json.loads(paths[0].read_text()) == report.to_json()
    with paths[1].open(newline="") as file:
        header, *lines = csv.reader(file)
    assert header == ["path", "true", "a", "b", "right", "tie"]
    assert lines[0] == ["[bold]image,1.png", "[red]x[/]", "[red]x[/]", "", "a", "no"]
