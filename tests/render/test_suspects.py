"""Disputed labels as a table and as pictures."""

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from clf_cli.engine.suspects import Suspect, Suspects
from clf_cli.render.figures import save_figure
from clf_cli.render.suspect_pictures import figure
from clf_cli.render.suspects import SHOWN, lines, table
from clf_cli.values.report import ModelRef

MODEL = ModelRef("model.onnx", "resnet18", "ema", None)


def suspects(count: int, not_judged: int = 0, label: str = "7") -> Suspects:
    images = tuple(
        Suspect(f"val/{number}.jpg", label, "1", 0.9, number / 1000 - 1, "val", f"val.jsonl:{number}")
        for number in range(count)
    )
    return Suspects(((MODEL, not_judged),), 100, not_judged, images)


def text(found: Suspects, limit: int | None = SHOWN, width: int = 80) -> str:
    console = Console(width=width, no_color=True)
    with console.capture() as capture:
        console.print(table(found, limit))
    return capture.get()


def test_the_first_rows_and_how_many_there_are():
    printed = text(suspects(SHOWN + 3))
    assert f"val/{SHOWN - 1}.jpg" in printed
    assert f"val/{SHOWN}.jpg" not in printed
    assert f"Disputed: {SHOWN + 3} labels of 100 images judged; the first {SHOWN} are shown" in printed
    assert f"val/{SHOWN}.jpg" in text(suspects(SHOWN + 3), None)
    assert "are shown" not in text(suspects(SHOWN + 3), None)


def test_what_was_not_judged_and_what_to_do_about_it():
    assert len(lines(suspects(1))) == 1
    told = lines(suspects(1, not_judged=1200))[1]
    assert "1,200 images that the model was trained on" in told
    assert "clf split --folds" in told


def test_no_dispute_is_no_table():
    assert text(suspects(0)) == "Disputed: 0 labels of 100 images judged\n"


def test_names_are_no_markup_and_lines_fit():
    printed = text(suspects(2, label="[red]\x1b[31m" + "x" * 100))
    assert "[red]" in printed
    assert "\x1b" not in printed
    assert max(map(len, printed.splitlines())) <= 80


@pytest.mark.parametrize("count", [0, 1, 10])
def test_a_picture_for_each(tmp_path, count):
    pixels = [np.full((20, 30, 3), 90, dtype=np.uint8)] * count
    save_figure(figure(suspects(count).images, pixels, "discs"), tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as image:
        assert image.height > 100
    with pytest.raises(ValueError, match="zip"):
        figure(suspects(count + 1).images, pixels, "discs")
