import subprocess
import sys
import warnings

import numpy as np
import pytest
from PIL import Image

from clf_cli.errors import RunError
from clf_cli.render.figures import (
    DPI,
    TextStyle,
    colored,
    drawable,
    framed,
    new_figure,
    paint,
    save_figure,
    text_width,
    write,
)


def pixels_of(figure, path):
    save_figure(figure, path)
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def test_size_is_points_times_two_and_the_ground_is_white(tmp_path):
    pixels = pixels_of(new_figure(100, 60), tmp_path / "x.png")
    assert pixels.shape == (120, 200, 3)
    assert (pixels == 255).all()


def test_pixels_land_where_they_were_put_unchanged(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (21, 34, 3), dtype=np.uint8)
    figure = new_figure(100, 60)
    paint(figure, noise, 10, 5)
    pixels = pixels_of(figure, tmp_path / "x.png")
    np.testing.assert_array_equal(pixels[10:31, 20:54], noise)
    assert (pixels[:10] == 255).all()
    assert (pixels[31:] == 255).all()


def test_the_same_figure_gives_the_same_bytes_and_tells_nothing_else(tmp_path):
    for name in ("a.png", "b.png"):
        figure = new_figure(200, 50)
        write(figure, 10, 20, "text")
        save_figure(figure, tmp_path / name)
    content = (tmp_path / "a.png").read_bytes()
    assert content == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert set(image.info) == {"dpi"}
        assert image.info["dpi"] == pytest.approx((DPI, DPI), abs=0.01)


@pytest.mark.parametrize(
    "text", ["$x_1$", "$", "$$", r"\frac{1}{2} $\alpha", "_private", "日本語", "🏀", "a\u0301", "مرحبا"]
)
def test_any_text_is_drawn_as_it_stands_without_a_warning(tmp_path, text):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = new_figure(200, 50)
        write(figure, 10, 20, text, TextStyle(rotation=90))
        assert text_width(text, 9) >= 0
        assert (pixels_of(figure, tmp_path / "x.png") < 255).any()


def test_dollars_mean_themselves(tmp_path):
    drawn = []
    for text in ("$a$", "a"):
        figure = new_figure(60, 30)
        write(figure, 10, 20, text)
        drawn.append((pixels_of(figure, tmp_path / "x.png") < 255).sum())
    assert drawn[0] > 2 * drawn[1]


def test_drawable():
    assert drawable("plain")
    assert drawable("é–✓")
    assert not drawable("\U0010fffd")


def test_width_grows_with_the_text():
    assert 0 < text_width("i", 9) < text_width("iii", 9) < text_width("WWW", 9)
    assert text_width("abc", 18) == pytest.approx(2 * text_width("abc", 9), rel=0.1)


def test_frame():
    assert framed(colored(2, 3, "#ff0000")).shape == (4, 5, 3)
    assert framed(colored(2, 3, "#ff0000"))[1:-1, 1:-1].reshape(-1, 3).tolist() == [[255, 0, 0]] * 6


def test_a_place_that_cannot_be_written_is_named_and_the_old_file_stays(tmp_path):
    (tmp_path / "file").write_text("old")
    with pytest.raises(RunError, match="Cannot write"):
        save_figure(new_figure(10, 10), tmp_path / "file" / "x.png")
    assert (tmp_path / "file").read_text() == "old"


def test_drawing_leaves_pyplot_and_the_settings_of_others_alone():
    code = """
import sys, matplotlib
names = [name for name in matplotlib.rcParams if name != "backend"]  # asking for that one chooses one
before = [matplotlib.rcParams[name] for name in names]
import clf_cli.render.confusion, clf_cli.render.curves, clf_cli.render.samples
from clf_cli.render.figures import new_figure
new_figure(10, 10).canvas.draw()
assert [matplotlib.rcParams[name] for name in names] == before
assert not {"matplotlib.pyplot", "torch", "lightning"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
