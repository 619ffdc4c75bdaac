"""What the report says of the transform is what the transform does."""

import numpy as np
import pytest
from PIL import Image

from clf_cli.engine.crop_loss import MODES, crop_loss
from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import BACKGROUND, Preprocess, resize, scaled_size

SIZES = [(40, 40), (80, 40), (37, 91), (300, 20), (8, 8), (200, 199)]
TWO = Labels(("a", "b"))


def fit_of(size: tuple[int, int], preprocess: Preprocess):
    return crop_loss(TWO, [("a", size)], preprocess).whole


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("crop_share", [1.0, 0.8])
def test_the_share_that_is_cut_is_the_share_that_the_network_does_not_see(size, mode, crop_share):
    """An image of column numbers: the outermost columns that come through say what was cut, as do the rows."""
    preprocess = Preprocess(64, 64, mode, "nearest", crop_share)
    seen = 1.0
    for axis, length in enumerate(size):
        ramp = np.linspace(0, 255, length).reshape((1, length) if axis == 0 else (length, 1))
        image = Image.fromarray(np.broadcast_to(ramp, size[::-1]).astype(np.uint8)).convert("RGB")
        pixels = resize(image, preprocess)[..., 0].astype(float)
        inside = pixels[32, :] if axis == 0 else pixels[:, 32]
        if mode == "letterbox":
            inside = inside[inside != BACKGROUND[0]]
        seen *= (inside.max() - inside.min()) / 255
    tolerance = 1 - (1 - 3 / min(*size, 64)) ** 2  # a pixel on each side
    assert fit_of(size, preprocess).cut_pixels == pytest.approx(1 - seen, abs=tolerance)


@pytest.mark.parametrize("size", SIZES)
def test_letterbox_fills_what_the_image_does_not(size):
    pixels = resize(Image.new("RGB", size, (255, 0, 0)), Preprocess(64, 64, "letterbox"))
    grey = (pixels == BACKGROUND).all(axis=2).mean()
    fit = fit_of(size, Preprocess(64, 64, "letterbox"))
    assert fit.bars == pytest.approx(grey)
    assert fit.cut_pixels == 0


def test_a_wide_image_in_each_mode():
    fits = crop_loss(TWO, [("a", (80, 40))], Preprocess(40, 40)).modes
    assert (fits["squash"].cut_pixels, fits["squash"].stretched) == (0, 2)
    assert fits["squash"].enlarged == pytest.approx(0.5**0.5)
    assert (fits["crop"].cut_pixels, fits["crop"].cut_side, fits["crop"].stretched) == (0.5, 0.5, 1)
    assert (fits["letterbox"].bars, fits["letterbox"].enlarged, fits["letterbox"].stretched) == (0.5, 0.5, 1)


def test_the_longer_side_is_that_of_the_image():
    assert fit_of((40, 80), Preprocess(40, 40, "crop")).cut_side == pytest.approx(0.5)
    assert fit_of((40, 40), Preprocess(40, 40, crop_share=0.5)).cut_side == pytest.approx(0.5)


def test_classes_are_told_apart_and_those_without_images_are_undefined():
    labels = Labels(("a", "b", "c"))
    rows = [("b", (80, 40)), ("a", (40, 40)), ("b", (40, 40)), ("?", (40, 80))]
    found = crop_loss(labels, rows, Preprocess(40, 40, "crop"))
    assert [fit.cut_pixels for fit in found.classes[:2]] == [0, 0.25]
    assert np.isnan(found.classes[2].cut_pixels)
    assert found.whole.cut_pixels == 0.25


def test_only_modes_that_keep_more_are_offered_the_one_that_stretches_least_first():
    cut = crop_loss(TWO, [("a", (80, 40))], Preprocess(40, 40, "crop"))
    assert cut.keeping_more == ("letterbox", "squash")
    assert crop_loss(TWO, [("a", (80, 40))], Preprocess(40, 40)).keeping_more == ()
    assert crop_loss(TWO, [("a", (40, 40))], Preprocess(40, 40, "crop")).keeping_more == ()
    assert crop_loss(TWO, [("a", (40, 40))], Preprocess(40, 40, crop_share=0.5)).keeping_more == ("letterbox",)


def test_without_images_nothing_is_measured():
    found = crop_loss(TWO, [], Preprocess(40, 40))
    assert np.isnan(found.whole.cut_pixels)
    assert found.keeping_more == ()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", MODES)
def test_the_transform_resizes_to_the_size_that_is_told(size, mode, monkeypatch):
    preprocess = Preprocess(48, 32, mode, crop_share=0.9)
    asked = []
    original = Image.Image.resize
    monkeypatch.setattr(Image.Image, "resize", lambda self, to, *rest: asked.append(to) or original(self, to, *rest))
    resize(Image.new("RGB", size), preprocess)
    assert (asked or [size])[-1] == scaled_size(size, preprocess)


def test_every_image_counts():
    random = np.random.default_rng(0)
    sizes = [(int(width), int(height)) for width, height in random.integers(10, 14, (101, 2))]
    for count in (100, 101):
        rows = [("a", size) for size in sizes[:count]]
        whole = crop_loss(TWO, rows, Preprocess(40, 40, "crop")).whole
        alone = [fit_of(size, Preprocess(40, 40, "crop")) for _, size in rows]
        assert whole.cut_pixels == pytest.approx(np.mean([fit.cut_pixels for fit in alone]))
        assert whole.enlarged == pytest.approx(np.median([fit.enlarged for fit in alone]))
        assert whole.stretched == pytest.approx(np.median([fit.stretched for fit in alone]))
