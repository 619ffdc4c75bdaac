import io
import warnings

import numpy as np
import pytest
from rich.console import Console

from clf_cli.engine.flips import Flip, FlipsResult
from clf_cli.engine.samples import SampledPrediction
from clf_cli.render.figures import save_figure
from clf_cli.render.flips import figure, summary, table
from clf_cli.values.report import ModelRef


def flip(true="a", ours="a", theirs="b", tie=False):
    sides = (SampledPrediction("v/1.png", true, name, 0.81, name == true, 0.5) for name in (ours, theirs))
    return Flip(*sides, tie)


def result(*shown, counts=None, ties=0):
    counts = counts or [len(shown), 0, 0]
    return FlipsResult("runs/b", ModelRef("m", "arch", "ema", None), 1234, *counts, ties, shown)


def shown(of):
    console = Console(file=io.StringIO(), width=100)
    console.print(table(of))
    assert isinstance(console.file, io.StringIO)
    return " ".join(console.file.getvalue().split())


def test_the_table_has_both_answers_and_who_is_right():
    text = shown(result(flip(), flip(theirs="[b]", true="[b]"), flip(true="c", tie=True), counts=[1, 1, 7], ties=1))
    assert "│ v/1.png │ a │ a 81 % │ b 81 % │ model │" in text
    assert "│ v/1.png │ [b] │ a 81 % │ [b] 81 % │ other │" in text
    assert "neither, a tie │" in text
    assert "9 of 1,234 images predicted differently · only the model is right on 1" in text
    assert "1 tie, which either may win · 3 shown" in text


def test_no_flips_are_said():
    assert summary(result()) == "Both models predict the same for all of 1,234 images"
    assert shown(result()) == summary(result())


@pytest.mark.parametrize("flips", [(), (flip(),), (flip("x" * 60, "y" * 60, "", tie=True),) * 5])
def test_the_picture(tmp_path, flips):
    pixels = [np.zeros((8, 8, 3), np.uint8)] * len(flips)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawing = figure(result(*flips), pixels, "runs/a", "val")
        save_figure(drawing, tmp_path / "x.png")
    texts = [text.get_text() for text in drawing.texts]
    assert texts[:2] == ["Predicted differently: val", "A: runs/a · B: runs/b"]
    assert len(texts) == (4 + 3 * len(flips) if flips else 3)
    if len(flips) == 1:
        assert "only A is right on 1, only B on 0" in texts[2]
        assert texts[4:] == ["true: a", "A ✓ a  81 %", "B ✗ b  81 %"]
