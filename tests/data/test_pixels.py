"""Facts of pixels are those of the image, exactly where it is small and nearly where it is looked at on a grid."""

import numpy as np
import pytest
from PIL import Image

from clf_cli.data.pixels import GRID, Collected, PixelFacts


def facts(*images: Image.Image) -> list[PixelFacts]:
    collected = Collected(len(images))
    for image in images:
        collected.add(image)
    return collected.facts()


def picture(seed: int, size: tuple[int, int]) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 7, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def bits_apart(one: PixelFacts, other: PixelFacts) -> int:
    return bin(int(one.hash, 16) ^ int(other.hash, 16)).count("1")


@pytest.mark.parametrize("size", [(1, 1), (5, 40), (GRID, GRID), (GRID, 7)])
def test_a_small_image_is_measured_exactly(size):
    image = picture(0, size)
    pixels = np.asarray(image).reshape(-1, 3).astype(float)
    (found,) = facts(image)
    assert found.mean == pytest.approx(pixels.mean(axis=0), abs=0.006)
    assert found.std == pytest.approx(pixels.std(axis=0), abs=0.006)
    assert found.low <= np.quantile(pixels, 0.01, axis=0).min() + 1
    assert found.high >= np.quantile(pixels, 0.99, axis=0).max() - 1


def test_a_large_image_is_measured_nearly():
    noise = np.random.default_rng(0).integers(0, 256, (700, 900, 3), dtype=np.uint8)
    (found,) = facts(Image.fromarray(noise))
    assert found.mean == pytest.approx((127.5,) * 3, abs=5)
    assert found.std == pytest.approx((73.9,) * 3, rel=0.05)


def test_facts_come_in_the_order_of_the_images():
    images = [picture(seed, (20 + seed, 30)) for seed in range(40)]
    assert facts(*images) == [one for image in images for one in facts(image)]


def test_no_images():
    assert facts() == []


@pytest.mark.parametrize("size", [(30, 40), (300, 400), (1024, 1024)])
def test_the_hash_of_a_rescaled_image_is_near(size):
    first, rescaled, other = facts(picture(0, (120, 160)), picture(0, (120, 160)).resize(size), picture(1, (120, 160)))
    assert bits_apart(first, rescaled) <= 6
    assert bits_apart(first, other) > 12
