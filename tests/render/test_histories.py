from dataclasses import replace

import numpy as np
from rich.console import Console

from clf_cli.engine.histories import HistoriesResult, RunCourse
from clf_cli.engine.history import history
from clf_cli.render.histories import table

NAN = float("nan")


def course(name, losses, accuracies, status="finished", planned=None, **columns):
    rows = [
        {"epoch": epoch, "val/loss": loss, "val/acc_top1": accuracy, "images": 60.0}
        for epoch, (loss, accuracy) in enumerate(zip(losses, accuracies, strict=True), start=1)
    ]
    rows = [row | {key: values[number] for key, values in columns.items()} for number, row in enumerate(rows)]
    return RunCourse(name, name, "abc", "resnet18", "d", "sha256:1", status, planned or len(rows), history(rows))


def printed(*courses, width=120):
    console = Console(width=width, no_color=True)
    with console.capture() as capture:
        console.print(table(HistoriesResult(courses)))
    return capture.get()


def rows_of(text):
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if line.startswith("│")]


def test_the_runs_with_status_and_best_then_a_block_for_each_metric():
    text = printed(
        course("long", [2, 1, 0.5, 0.6], [0.2, 0.6, 0.9, 0.8]),
        course("short", [3, 2], [0.1, 0.3], status="interrupted", planned=9),
    )
    assert text.startswith("2 runs\n")
    assert rows_of(text) == [
        ["long", "resnet18", "finished", "4 epochs", "epoch 3, val/acc_top1 90.0 %"],
        ["short", "resnet18", "interrupted", "2 of 9 epochs", "epoch 2, val/acc_top1 30.0 %"],
        ["val/loss", "", "", "", "", ""],
        ["long", "2", "0.6", "0.5", "3", "▅▂▁▁"],
        ["short", "3", "2", "2", "2", "█▅"],
        ["val/acc_top1", "", "", "", "", ""],
        ["long", "20.0 %", "80.0 %", "90.0 %", "3", "▂▅█▇"],
        ["short", "10.0 %", "30.0 %", "30.0 %", "2", "▁▃"],
    ]


def test_what_a_run_never_measured_is_left_out_and_said():
    text = printed(
        course("a", [1.0], [0.5], **{"val/ece": [0.1], "val/acc_top5": [NAN], "lr": [0.1]}),
        course("b", [NAN], [NAN], **{"val/acc_top5": [NAN], "lr": [NAN]}),
        course("c", [1.0], [0.4], **{"lr": [0.1]}),
    )
    said = [line for line in text.splitlines() if line.startswith("Not measured")]
    assert said == [
        "Not measured in any of them: val/acc_top5.",
        "Not measured in b: val/loss, val/acc_top1, val/ece, lr.",
        "Not measured in c: val/ece.",
    ]
    assert ["b", "resnet18", "finished", "1 epoch", "–"] in rows_of(text)
    assert "val/acc_top5" not in [row[0] for row in rows_of(text)]


def test_no_image_counts_and_no_notes_where_all_is_measured():
    text = printed(course("a", [1.0], [0.5]), course("b", [2.0], [0.4]))
    assert "images" not in text
    assert "Not measured" not in text


def test_narrow_terminals_get_fewer_columns_and_whole_words():
    courses = [course(name, np.linspace(2, 1, 30), np.linspace(0, 1, 30)) for name in ("first-of-two", "second")]
    for width in (60, 80):
        lines = printed(*courses, width=width).splitlines()
        assert max(map(len, lines)) <= width
        assert sum("first-of-two" in line for line in lines) == 3
    assert "Too narrow for" in printed(*courses, width=60)


def test_names_are_no_markup():
    assert "[bold]x" in printed(course("[bold]x", [1.0], [0.5]), course("b", [1.0], [0.5]))


def test_runs_on_other_data_are_named():
    groceries = replace(course("b", [1.0], [0.5]), data="groceries", data_fingerprint="sha256:c5c883c81a99ea5b")
    text = printed(course("a", [1.0], [0.5]), groceries)
    assert "2 data sets, whose scores do not compare: d 1, groceries c5c883c8." in text
    assert "data sets" not in printed(course("a", [1.0], [0.5]), course("b", [1.0], [0.5]))
