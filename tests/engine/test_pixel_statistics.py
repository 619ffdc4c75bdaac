"""Means and deviations are those of the pixels, with every image of the same weight."""

import numpy as np
import pytest
from PIL import Image

from clf_cli.data.scan import scan_files
from clf_cli.engine.pixel_statistics import Normalized, PixelStatistics
from clf_cli.values.preprocess import Preprocess


@pytest.fixture
def files(tmp_path):
    """Three images of different sizes, with their pixels on the scale 0 to 1."""
    random = np.random.default_rng(0)
    found = []
    for number, (width, height, most) in enumerate([(20, 30, 255), (50, 10, 100), (5, 5, 30)]):
        pixels = random.integers(0, most, (height, width, 3), dtype=np.uint8)
        path = tmp_path / f"{number}.png"
        Image.fromarray(pixels).save(path)
        found.append((scan_files(tmp_path, [path.name]).files[path.name], pixels / 255))
    return found


def test_every_image_weighs_the_same(files):
    found = PixelStatistics.of([facts for facts, _ in files])
    mean = np.mean([pixels.mean(axis=(0, 1)) for _, pixels in files], axis=0)
    square = np.mean([(pixels**2).mean(axis=(0, 1)) for _, pixels in files], axis=0)
    assert found.images == 3
    assert found.mean == pytest.approx(mean, abs=1e-3)
    assert found.std == pytest.approx(np.sqrt(square - mean**2), abs=1e-3)


def test_images_that_the_model_expects_are_normalised_to_0_and_1():
    preprocess = Preprocess(8, 8, mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3))
    as_expected = Normalized.of(PixelStatistics(1, preprocess.mean, preprocess.std), preprocess)
    assert as_expected == Normalized((0, 0, 0), (1, 1, 1))
    darker = Normalized.of(PixelStatistics(1, (0.4, 0.4, 0.3), (0.05, 0.2, 0.3)), preprocess)
    assert darker.mean == pytest.approx((-1, 0, 0))
    assert darker.std == pytest.approx((0.5, 1, 1))


def test_without_images_nothing_is_measured():
    found = PixelStatistics.of([])
    assert found.images == 0
    assert np.isnan([*found.mean, *found.std]).all()
