import warnings

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from clf_cli.engine.samples import SampledPrediction, SamplesResult
from clf_cli.render.figures import save_figure, text_width
from clf_cli.render.grid import TILE
from clf_cli.render.samples import figure, table

RIGHT, WRONG = (0, 158, 115), (213, 94, 0)


def samples(count, correct=lambda i: i % 2 == 0, name="7"):
    return SamplesResult(
        tuple(
            SampledPrediction(f"val/{i}.jpg", name, name if correct(i) else "1", 0.981, correct(i), 0.5)
            for i in range(count)
        )
    )


def thumbnails(count, shape=(32, 32)):
    return [np.full((*shape, 3), 40 + i, dtype=np.uint8) for i in range(count)]


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 2), (5, 3), (16, 4), (100, 10)])
def test_a_grid_that_is_about_square(tmp_path, count, columns):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_figure(figure(samples(count), thumbnails(count), "val, epoch 1"), tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as image:
        wide = max(columns * 118 - 14 + 32, 32 + text_width("Sample predictions: val, epoch 1", 13, bold=True))
        assert image.width == pytest.approx(2 * wide, abs=2)
        assert image.height == 2 * (62 + -(-count // columns) * 152)


def test_frames_tell_right_from_wrong_and_pixels_are_those_of_the_image(tmp_path):
    save_figure(figure(samples(2), thumbnails(2)), tmp_path / "x.png")
    pixels = np.asarray(Image.open(tmp_path / "x.png").convert("RGB"))
    left, top, step = 32, 116, 236
    assert tuple(pixels[top + 2, left + 2]) == RIGHT
    assert tuple(pixels[top + 2, left + step + 2]) == WRONG
    assert tuple(pixels[top + int(TILE), left + int(TILE)]) == (40, 40, 40)
    assert tuple(pixels[top + int(TILE), left + step + int(TILE)]) == (41, 41, 41)


def test_an_image_that_is_not_square_keeps_its_shape(tmp_path):
    save_figure(figure(samples(1), thumbnails(1, shape=(10, 20))), tmp_path / "x.png")
    pixels = np.asarray(Image.open(tmp_path / "x.png").convert("RGB"))
    tile = pixels[116 : 116 + 208, 32 : 32 + 208]
    dark = (tile == 40).all(axis=2)
    assert dark.any(axis=1).sum() * 2 == pytest.approx(dark.any(axis=0).sum(), abs=2)


def test_captions_say_true_and_predicted_with_confidence():
    texts = [text.get_text() for text in figure(samples(2), thumbnails(2)).texts]
    assert texts[:2] == ["Sample predictions", "1 of 2 images right"]
    assert texts[2:] == ["true: 7", "✓ 7  98 %", "true: 7", "✗ 1  98 %"]


@pytest.mark.parametrize("name", ["", "$x_1^2$ and more", "日本語のとても長いラベルがここに続く", "a\nb", "W" * 200])
def test_any_label_fits_below_its_image(tmp_path, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawing = figure(samples(1, name=name), thumbnails(1))
        save_figure(drawing, tmp_path / "x.png")
    true, predicted = (text.get_text() for text in drawing.texts[2:])
    assert text_width(true, 9) <= TILE
    assert text_width(predicted, 9, bold=True) <= TILE + 2
    assert "\n" not in true + predicted
    assert true == "true: (empty)" or name


def test_a_missing_thumbnail_is_a_mistake():
    with pytest.raises(ValueError, match="zip"):
        figure(samples(2), thumbnails(1))


def test_the_worst_say_their_loss_and_that_they_are_the_worst():
    worst = SamplesResult(samples(2).samples, "worst")
    texts = [text.get_text() for text in figure(worst, thumbnails(2), "val").texts]
    assert texts[0] == "Highest loss: val"
    assert texts.count("loss 0.50") == 2


def test_no_samples(tmp_path):
    save_figure(figure(samples(0), []), tmp_path / "x.png")


def test_table():
    console = Console(width=80, no_color=True)
    with console.capture() as capture:
        console.print(table(samples(2, name="[red]")))
    assert "│ val/0.jpg │ [red] │ [red]     │     98.1 % │ 0.50 │" in capture.get()
