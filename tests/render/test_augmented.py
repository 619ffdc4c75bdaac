import io

import numpy as np
from rich.console import Console

from clf_cli.data.knobs import PRESETS, Augment
from clf_cli.engine.augmented import AugmentedImage, AugmentedResult
from clf_cli.render.augmented import figure, summary, table
from clf_cli.render.figures import save_figure

IMAGES = (AugmentedImage("train/a.png", "", 3), AugmentedImage("train/b.png", "[b]" * 40, 5))


def result(augment=PRESETS["basic"], mixup=0.0, cutmix=0.0):
    return AugmentedResult(augment, mixup, cutmix, seed=9, epochs=2, images=IMAGES)


def test_what_is_on_is_said():
    assert summary(result()) == (
        "preset basic: flip, crop-scale 0.65, color 0.2",
        "as epochs 1 to 2 see them with seed 9",
    )
    assert summary(result(Augment("none")))[0] == "preset none: nothing is changed"
    assert "erase 0.1, erase-area 0.08" in summary(result(PRESETS["ocr"]))[0]


def test_what_mixes_images_is_said_not_to_be_shown():
    assert summary(result(mixup=0.2, cutmix=1))[-1] == "not shown: mixup 0.2, cutmix 1, which mixes images of a batch"


def test_a_row_per_image_the_original_first(tmp_path):
    pixels = [[np.zeros((6, 6, 3), np.uint8)] * 3] * 2
    drawing = figure(result(), pixels, "data")
    save_figure(drawing, tmp_path / "x.png")
    texts = [text.get_text() for text in drawing.texts]
    assert texts[0] == "Training images after augmentation: data"
    assert texts[3:6] == ["(empty)", "epoch 1", "epoch 2"]
    assert texts[6].endswith("…")


def test_table():
    console = Console(file=io.StringIO(), width=100)
    console.print(table(result()))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "│ train/a.png │ (empty)" in text
    assert "preset basic" in text
