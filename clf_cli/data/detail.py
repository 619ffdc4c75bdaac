"""How much fine detail the centre of an image holds, whatever its size: what tells a blurred image from a sharp one."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

CENTRE = 32  # sides of the centre that is looked at, of an image whose shorter side is made LEAST to 2 LEAST pixels
LEAST = 64  # smaller images have too few pixels to tell
_FLAT = 4.0  # squared levels: with less contrast between pixels the noise of the camera would be judged


def centre(image: Image.Image) -> bytes | None:
    """The middle of an RGB image, made small by whole numbers of pixels; None of an image that is too small."""
    shorter = min(image.size)
    if shorter < LEAST:
        return None
    factor = shorter // LEAST
    side = factor * CENTRE
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return (image.crop(box) if factor == 1 else image.reduce(factor, box)).tobytes()


def details(centres: Sequence[bytes | None]) -> list[float | None]:
    """Of what `centre` gave: the squared difference of pixels that touch, over that of pixels with one between them.

    0.25 for a smooth slope, 0.35 to 0.6 for a sharp photo, 1 for noise. None where there is nothing to tell it from.
    """
    found: list[float | None] = [None] * len(centres)
    large = [index for index, pixels in enumerate(centres) if pixels is not None]
    if not large:
        return found
    joined = b"".join(centres[index] or b"" for index in large)
    pixels = np.frombuffer(joined, dtype=np.uint8).reshape(-1, CENTRE, CENTRE, 3).astype(np.float32)
    near, far = _difference(pixels, 1), _difference(pixels, 2)
    for index, a, b in zip(large, near.tolist(), far.tolist(), strict=True):
        found[index] = round(a / b, 3) if b >= _FLAT else None
    return found


def _difference(pixels: npt.NDArray[np.float32], step: int) -> npt.NDArray[np.float32]:
    """(N,) mean squared difference of values `step` apart, down and across."""
    down, across = pixels[:, step:] - pixels[:, :-step], pixels[:, :, step:] - pixels[:, :, :-step]
    total = np.einsum("nijk,nijk->n", down, down) + np.einsum("nijk,nijk->n", across, across)
    return np.asarray(total / (2 * down[0].size), dtype=np.float32)
