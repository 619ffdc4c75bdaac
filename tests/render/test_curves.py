import warnings
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from PIL import Image

from clf_cli.engine.histories import HistoriesResult, RunCourse
from clf_cli.engine.history import history, matching
from clf_cli.render.curves import RUN_COLORS, RUN_MARKERS, figure, overlay
from clf_cli.render.figures import save_figure, text_width

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


def course(name, epochs, status="finished", planned=None, **columns):
    """A run whose values differ from those of a run with another name."""
    shift = sum(map(ord, name)) / 1e4
    made = [{key: value if key == "epoch" else value + shift for key, value in row.items()} for row in rows(epochs)]
    changed = [row | {key: values[number] for key, values in columns.items()} for number, row in enumerate(made)]
    return RunCourse(name, name, "abc", "resnet18", "d", "sha256:1", status, planned or epochs, history(changed))


def lines_of(axes):
    return {line.get_label(): line for line in axes.lines}


def test_each_run_is_a_solid_and_a_dashed_curve_of_one_colour():
    names = ("one", "two", "three")
    courses = (course(name, epochs) for name, epochs in zip(names, (5, 3, 2), strict=True))
    drawing = overlay(HistoriesResult(tuple(courses)))
    assert [axes.get_title(loc="left") for axes in drawing.axes] == ["loss", "accuracy", "learning rate"]
    loss = lines_of(drawing.axes[0])
    for number, (name, epochs) in enumerate(zip(names, (5, 3, 2), strict=True)):
        train, val = loss[f"{name}: train/loss"], loss[f"{name}: val/loss"]
        assert (train.get_linestyle(), val.get_linestyle()) == ("--", "-")
        assert {to_hex(line.get_color()) for line in (train, val)} == {RUN_COLORS[number]}
        assert list(val.get_xdata()) == list(range(1, epochs + 1))
        assert val.get_marker() == RUN_MARKERS[number]
    assert not [label for label in lines_of(drawing.axes[1]) if "top5" in label]
    low, high = drawing.axes[0].get_xlim()
    assert 0 < low < 1
    assert high > 5


def test_the_best_epoch_of_each_run_is_marked_on_its_solid_curves():
    drawing = overlay(HistoriesResult((course("one", 5), course("two", 3))))
    for axes, column in zip(drawing.axes, ("val/loss", "val/acc_top1", "lr"), strict=True):
        for name in ("one", "two"):
            star, curve = lines_of(axes)[f"{name}: best epoch"], lines_of(axes)[f"{name}: {column}"]
            assert star.get_marker() == "*"
            assert list(star.get_xdata()) == [2]
            assert star.get_ydata()[0] == curve.get_ydata()[1]
            assert star.get_color() == curve.get_color()


def test_undefined_values_are_gaps_and_unmeasured_columns_no_curves(tmp_path):
    gaps = course("gaps", 4, **{"val/loss": [1.0, NAN, float("inf"), 0.5], "lr": [NAN] * 4})
    drawing = overlay(HistoriesResult((gaps, course("two", 3))))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_figure(drawing, tmp_path / "x.png")
    loss = lines_of(drawing.axes[0])["gaps: val/loss"].get_ydata()
    assert np.isfinite(loss).tolist() == [True, False, False, True]
    assert [label for label in lines_of(drawing.axes[2]) if label.startswith("gaps")] == []


def test_curves_that_lie_on_one_another_take_turns():
    same = [
        RunCourse(name, name, "abc", "resnet18", "d", "sha256:1", "finished", 4, history(rows(4)))
        for name in ("a", "b", "c")
    ]
    drawing = overlay(HistoriesResult((*same, course("d", 4))))
    curves = [lines_of(drawing.axes[2])[f"{name}: lr"] for name in "abcd"]
    assert [curve.get_linestyle() for curve in curves] == ["--", "--", "--", "-"]  # what matplotlib calls any dashes
    assert [curve.get_markevery() for curve in curves] == [(0, 3), (1, 3), (2, 3), (0, 1)]


def texts(drawing):
    return [text.get_text() for text in drawing.texts]


@pytest.mark.parametrize("count", [2, 12])
def test_the_legend_has_a_line_for_each_run_inside_the_picture(tmp_path, count):
    names = [f"{'basketball-jersey-tf_efficientnet_lite0-ocr-' * 3}seed{number:02d}" for number in range(count)]
    result = HistoriesResult(tuple(course(name, 3, "interrupted", planned=1234) for name in names))
    drawing = overlay(result)
    save_figure(drawing, tmp_path / "x.png")
    height = drawing.get_size_inches()[1] * 72
    legend = [text for text in drawing.texts if "seed" in text.get_text()]
    assert [text.get_text()[-6:] for text in legend] == [name[-6:] for name in names]
    assert all(text_width(text.get_text(), 9) <= 380 for text in legend)
    heights = [text.get_position()[1] * height for text in legend]
    assert (np.diff(heights) <= -12).all()  # no line touches the next
    assert heights[-1] > 4
    boxes = [text.get_window_extent() for text in drawing.texts]
    assert max(box.x1 for box in boxes) <= drawing.bbox.x1
    assert min(axes.get_tightbbox().y0 for axes in drawing.axes) > max(heights) * drawing.dpi / 72
    samples = [artist for artist in drawing.artists if isinstance(artist, Line2D)]
    assert len({(line.get_color(), line.get_marker()) for line in samples}) == count


def test_the_legend_says_arch_epochs_status_and_best():
    blind = replace(course("b", 4), arch="vit", history=history(rows(4, False)))
    result = HistoriesResult((course("a", 3, "running?", planned=9), blind))
    shown = texts(overlay(result))
    for text in ("a", "resnet18", "3 of 9 epochs, running?", "b", "vit", "4 epochs", "never validated"):
        assert text in shown
    assert any(text.startswith("best: epoch 2, val/acc_top1 ") for text in shown)


@pytest.mark.parametrize("name", ["_hidden", "$x$ & <b>", "日本語", "a" * 300])
def test_odd_names_are_drawn_as_they_stand(tmp_path, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawing = overlay(HistoriesResult((course(name, 2), course("b", 2))))
        save_figure(drawing, tmp_path / "x.png")
    assert name[:20] in "".join(texts(drawing))


def test_more_runs_than_colours_look_different():
    looks = {(RUN_COLORS[n % len(RUN_COLORS)], RUN_MARKERS[n % len(RUN_MARKERS)]) for n in range(72)}
    assert len(looks) == 72


ASKED = ["loss", "f1_macro", "lr", "val/ece", "acc_top1"]


@pytest.mark.parametrize("several", [True, False])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_metrics_that_are_asked_for_have_a_panel_each(tmp_path, several, count):
    columns = {"val/f1_macro": [0.5, 0.6, 0.7], "val/ece": [0.1, 0.2, NAN]}
    result = course("a", 3, **columns)
    asked = matching(ASKED[:count], result.history.metrics)
    both = HistoriesResult((result, course("b", 3)))
    drawing = overlay(both, asked) if several else figure(result.history, "", asked)
    titles = [axes.get_title(loc="left") for axes in drawing.axes]
    assert titles == ["loss", "f1_macro", "learning rate", "val/ece", "acc_top1"][:count]
    save_figure(drawing, tmp_path / "x.png")
    boxes = [axes.get_tightbbox() for axes in drawing.axes]
    assert all(box.x0 >= 0 and box.x1 <= drawing.bbox.x1 and box.y0 >= 0 for box in boxes)
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])


def test_fractions_are_shown_in_per_cent_and_losses_are_not():
    result = course("a", 3, **{"val/f1_macro": [0.5, 0.6, 0.7]})
    drawing = figure(result.history, "", matching(["f1_macro", "loss"], result.history.metrics))
    formats = [axes.yaxis.get_major_formatter()(0.5) for axes in drawing.axes]
    assert formats == ["50 %", "0.5"]


def test_a_panel_that_no_run_measured_says_so():
    asked = matching(["acc_top5"], ["val/acc_top5"])
    several = HistoriesResult((course("a", 2), course("b", 2)))
    for drawing in (overlay(several, asked), figure(several.runs[0].history, "", asked)):
        assert [text.get_text() for text in drawing.axes[0].texts] == ["not measured"]


def test_runs_on_other_data_are_named_in_the_picture():
    other = replace(course("b", 2), data="groceries", data_fingerprint="sha256:c5c8")
    assert "2 data sets, whose scores do not compare: d 1, groceries c5c8" in texts(
        overlay(HistoriesResult((course("a", 2), other)))
    )
