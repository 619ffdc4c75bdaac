"""Resizing as OpenCV does it, against OpenCV where it is installed."""

import numpy as np
import pytest

from clf_cli.engine.point_sampling import point_sampled

KERNELS = ("nearest", "bilinear", "bicubic", "lanczos")
SIZES = [(20, 17), (83, 30), (160, 121), (1, 1), (41, 61)]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_flat_image_stays_flat(kernel, width, height):
    for shade in (0, 77, 255):
        flat = np.full((61, 83, 3), shade, np.uint8)
        found = point_sampled(flat, width, height, kernel)
        assert found.shape == (height, width, 3)
        assert np.abs(found.astype(int) - shade).max() <= 1


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_same_size_is_the_same_image(kernel):
    pixels = np.random.default_rng(0).integers(0, 256, (31, 23, 3), dtype=np.uint8)
    assert np.abs(point_sampled(pixels, 23, 31, kernel).astype(int) - pixels).max() <= 1


@pytest.mark.parametrize(("kernel", "flag", "levels"), [("nearest", 0, 0), ("bilinear", 1, 1), ("bicubic", 2, 1)])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_it_is_opencv(kernel, flag, levels, width, height):
    cv2 = pytest.importorskip("cv2", reason="opencv-python-headless is not installed")
    pixels = np.random.default_rng(0).integers(0, 256, (61, 83, 3), dtype=np.uint8)
    expected = cv2.resize(pixels, (width, height), interpolation=flag).astype(int)
    apart = np.abs(point_sampled(pixels, width, height, kernel).astype(int) - expected)
    assert apart.max() <= levels
    assert (apart > 0).mean() <= (0.01 if kernel == "bilinear" else 0.1)
