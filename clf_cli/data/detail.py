"""How much fine detail the centre of an image holds, whatever its size: what tells a blurred image from a sharp one."""

import numpy as np
import numpy.typing as npt
from PIL import Image

CENTRE = 32  # sides of the centre that is looked at, of an image whose shorter side is made LEAST to 2 LEAST pixels
LEAST = 64  # smaller images have too few pixels to tell
_FEW = 4  # centres at once; arrays of more are mapped and unmapped each time: 24 us an image instead of 11
_FLAT = 4.0  # squared levels: with less contrast between pixels the noise of the camera would be judged


def centre(image: Image.Image) -> Image.Image | None:
    """The middle of an RGB image, made small by whole numbers of pixels; None of an image that is too small."""
    shorter = min(image.size)
    if shorter < LEAST:
        return None
    factor = shorter // LEAST
    side = factor * CENTRE
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return image.crop(box) if factor == 1 else image.reduce(factor, box)


def details(centres: npt.NDArray[np.uint8]) -> list[float | None]:
    """Of centres (N, CENTRE, CENTRE, 3): the squared difference of pixels that touch, over that of pixels with one
    between them.

    0.25 for a smooth slope, 0.35 to 0.6 for a sharp photo, 1 for noise. None where there is nothing to tell it from.
    """
    found: list[float | None] = []
    for start in range(0, len(centres), _FEW):
        pixels = centres[start : start + _FEW].astype(np.float32)
        near, far = _difference(pixels, 1).tolist(), _difference(pixels, 2).tolist()
        found += [round(a / b, 3) if b >= _FLAT else None for a, b in zip(near, far, strict=True)]
    return found


def _difference(pixels: npt.NDArray[np.float32], step: int) -> npt.NDArray[np.float32]:
    """(N,) mean squared difference of values `step` apart, down and across."""
    down, across = pixels[:, step:] - pixels[:, :-step], pixels[:, :, step:] - pixels[:, :, :-step]
    total = np.einsum("nijk,nijk->n", down, down) + np.einsum("nijk,nijk->n", across, across)
    return np.asarray(total / (2 * down[0].size), dtype=np.float32)
