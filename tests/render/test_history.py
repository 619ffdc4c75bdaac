import warnings

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from clf_cli.engine.history import history
from clf_cli.render.curves import figure
from clf_cli.render.figures import save_figure
from clf_cli.render.history import sparkline, table

NAN = float("nan")


def rows(epochs, validated=True):
    made = []
    for epoch in range(1, epochs + 1):
        row = {
            "epoch": float(epoch),
            "train/loss": 2 / epoch,
            "train/acc_top1": 1 - 1 / (epoch + 1),
            "lr": 1e-3 / epoch,
        }
        score = 0.5 + 0.4 * (epoch == 2) if validated else NAN
        made.append(row | {"val/loss": 1 / epoch if validated else NAN, "val/acc_top1": score, "val/acc_top5": NAN})
    return made


def points(drawing):
    """By label: how many points each curve has."""
    return {
        line.get_label(): int(np.isfinite(line.get_ydata()).sum())
        for axes in drawing.axes
        for line in axes.lines
        if line.get_label() != "best epoch"
    }


@pytest.mark.parametrize("epochs", [1, 2, 15, 200])
def test_n_points_after_n_epochs(tmp_path, epochs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawing = figure(history(rows(epochs)), "jersey")
        save_figure(drawing, tmp_path / "history.png")
    names = ("train", "val", "train top-1", "val top-1", "learning rate")
    assert points(drawing) == dict.fromkeys(names, epochs)  # top-5 was never measured
    assert all(line.get_marker() not in ("", "None", None) for axes in drawing.axes for line in axes.lines[:1])
    with Image.open(tmp_path / "history.png") as image:
        assert image.size == (1800, 660)


def test_three_panels_and_the_best_epoch_in_each():
    drawing = figure(history(rows(5)))
    assert [axes.get_title(loc="left") for axes in drawing.axes] == ["loss", "accuracy", "learning rate"]
    for axes in drawing.axes:
        marks = [line for line in axes.lines if line.get_label() == "best epoch"]
        assert [list(mark.get_xdata()) for mark in marks] == [[2, 2]]
    assert "best: epoch 2, val/acc_top1 90.0 %" in drawing.texts[1].get_text()


def test_a_run_that_was_never_validated(tmp_path):
    drawing = figure(history(rows(4, validated=False)))
    save_figure(drawing, tmp_path / "x.png")
    assert points(drawing) == {"train": 4, "train top-1": 4, "learning rate": 4}
    assert drawing.texts[1].get_text() == "4 epochs, never validated"


def test_no_epochs_yet(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawing = figure(history([]))
        save_figure(drawing, tmp_path / "x.png")
    assert [axes.texts[0].get_text() for axes in drawing.axes] == ["not measured"] * 3


def test_the_same_bytes_twice(tmp_path):
    for name in ("a.png", "b.png"):
        save_figure(figure(history(rows(3))), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_sparkline():
    assert sparkline(np.array([0.0, 0.5, 1.0])) == "▁▅█"
    assert sparkline(np.array([1.0, NAN, 0.0])) == "█ ▁"
    assert sparkline(np.array([2.0, 2.0])) == "▁▁"
    assert sparkline(np.array([NAN])) == sparkline(np.array([])) == ""
    assert len(sparkline(np.arange(500.0))) == 30
    assert sparkline(np.arange(500.0))[::29] == "▁█"


def test_table():
    console = Console(width=120, no_color=True)
    with console.capture() as capture:
        console.print(table(history(rows(3))))
    cells = {
        line.split("│")[1].strip(): [cell.strip() for cell in line.split("│")[2:-1]]
        for line in capture.get().splitlines()
        if line.startswith("│")
    }
    assert cells["val/acc_top1"] == ["50.0 %", "50.0 %", "90.0 %", "2", "▁█▁"]
    assert cells["train/loss"] == ["2", "0.6667", "0.6667", "3", "█▃▁"]
    assert cells["val/acc_top5"] == ["–", "–", "–", "–", ""]
