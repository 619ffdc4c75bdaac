import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clf_cli.engine.history import history
from clf_cli.render.page_curves import HEIGHT, LEFT, SHOWN_EPOCHS, WIDTH, curves, small, ticks, value_text

finite = st.floats(-1e6, 1e6)


def rows_of(**columns):
    names = [name.replace("_", "/", 1) for name in columns]
    return [
        {"epoch": epoch, **dict(zip(names, values, strict=True))}
        for epoch, values in enumerate(zip(*columns.values(), strict=True), start=1)
    ]


@given(finite, finite, st.integers(2, 10))
def test_ticks_hold_the_values_between_them(one, other, count):
    low, high = min(one, other), max(one, other)
    found = ticks(low, high, count)
    slack = 1e-6 * max(abs(low), abs(high))
    assert found == sorted(set(found))
    assert found[0] <= low + slack
    assert found[-1] >= high - slack
    assert 2 <= len(found) <= count + 3


def test_ticks_are_round():
    assert ticks(0.4, 2.6) == [0, 1, 2, 3]
    assert ticks(0, 0.001) == [0, 0.00025, 0.0005, 0.00075, 0.001]
    assert ticks(5, 5)[0] <= 5 <= ticks(5, 5)[-1]


def test_every_point_lies_in_its_panel_and_higher_values_higher():
    found = curves(
        history(rows_of(train_loss=[3.0, 2.0, 1.0], val_loss=[2.5, math.nan, 0.5], val_acc_top1=[0.1, 0.5, 1.0]))
    )
    assert [panel.title for panel in found.panels] == ["Loss", "Accuracy"]  # no learning rate was recorded
    train, val = found.panels[0].lines
    assert val.points[1] is None
    assert val.texts[1] == "–"
    assert val.path.count("M") == 2  # broken where nothing was measured
    heights = [y for _, y in train.points]
    assert heights == sorted(heights)
    assert all(LEFT < x < WIDTH and 0 <= y <= HEIGHT for x, y in train.points)
    assert found.best == found.marked == 2


def test_accuracy_never_has_a_tick_above_all():
    panel = curves(history(rows_of(val_acc_top1=[0.93, 1.0])))
    assert [text for _, text in panel.panels[0].up][-1] == "100 %"


def test_a_run_without_validation_marks_its_last_epoch_as_no_best_one():
    found = curves(history(rows_of(train_loss=[3.0, 2.0], val_loss=[math.nan] * 2, val_acc_top1=[math.nan] * 2)))
    assert found.best is None
    assert found.marked == 1
    assert [line.name for line in found.panels[0].lines] == ["train"]


def test_one_epoch_is_a_point():
    found = curves(history(rows_of(val_loss=[0.5], val_acc_top1=[0.5])))
    assert found.panels[0].lines[0].path.startswith("M")
    assert len(found.rows) == 1


def test_a_long_run_is_thinned_out_and_keeps_its_best_and_last_epoch():
    epochs = 5 * SHOWN_EPOCHS + 3
    best = 777
    found = curves(history(rows_of(val_acc_top1=[1.0 if e == best else 0.5 for e in range(1, epochs + 1)])))
    assert len(found.epochs) <= SHOWN_EPOCHS + 2
    assert {1, best, epochs} <= set(found.epochs)
    assert found.epochs[found.best] == best


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.25, "0.25"), (0.001, "1e-3"), (0.00075, "7.5e-4"), (3.738e-9, "3.74e-9"), (2.0, "2")],
)
def test_small_numbers(value, text):
    assert small(value) == text


def test_values_as_people_read_them():
    assert value_text("val/acc_top1", 0.8185) == "81.8 %"
    assert value_text("val/loss", 0.75541) == "0.7554"
    assert value_text("images", 1828.0) == "1,828"
    assert value_text("lr", math.nan) == "–"
