"""Resizing without antialias, as OpenCV does: each output pixel looks at few input pixels, however much the image
shrinks. Bilinear in OpenCV's fixed point, which rounds down; the others in float32, one grey level apart at most."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from clf_cli.values.predictions import FloatArray, IntArray

Pixels = npt.NDArray[np.uint8]
_CUBIC = -0.75  # of OpenCV and torch; Pillow's bicubic has -0.5
_ONE = 2048  # a weight of 1 in OpenCV's fixed point


def point_sampled(pixels: Pixels, width: int, height: int, interpolation: str) -> Pixels:
    """(H, W, C) uint8 to (height, width, C). `interpolation`: nearest, bilinear, bicubic or lanczos;
    box is nearest.

    Source: OpenCV's resize with INTER_NEAREST, INTER_LINEAR and INTER_CUBIC; lanczos has three lobes.
    """
    if interpolation in ("nearest", "box"):
        rows = np.arange(height) * pixels.shape[0] // height
        columns = np.arange(width) * pixels.shape[1] // width
        return np.ascontiguousarray(pixels[rows][:, columns])
    if interpolation == "bilinear":
        return _bilinear(pixels, width, height)
    taps, kernel = _KERNELS[interpolation]
    tall = _along_first_axis(pixels, height, taps, kernel)
    wide = _along_first_axis(tall.swapaxes(0, 1), width, taps, kernel).swapaxes(0, 1)
    return np.ascontiguousarray(np.clip(np.rint(wide), 0, 255).astype(np.uint8))


def _bilinear(pixels: Pixels, width: int, height: int) -> Pixels:
    """Bits are dropped between the two axes where OpenCV drops them; 2 of 1,000 values differ by one from OpenCV 5."""
    left, right, near, far = _two_taps(pixels.shape[1], width)
    wide = pixels[:, left] * near[:, None] + pixels[:, right] * far[:, None]
    top, bottom, near, far = _two_taps(pixels.shape[0], height)
    upper = (near[:, None, None] * (wide[top] >> 4)) >> 16
    lower = (far[:, None, None] * (wide[bottom] >> 4)) >> 16
    return np.asarray((upper + lower + 2) >> 2, dtype=np.uint8)


def _two_taps(old: int, new: int) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """(new,) positions of the two pixels that each new one lies between, and their weights in fixed point."""
    centres = ((np.arange(new) + 0.5) * (old / new) - 0.5).astype(np.float32)
    first = np.floor(centres).astype(np.int64)
    share = np.where((first < 0) | (first >= old - 1), np.float32(0), centres - first)
    first = np.clip(first, 0, old - 1)
    far = np.rint(share * _ONE).astype(np.int64)
    return first, np.minimum(first + 1, old - 1), np.rint((1 - share) * _ONE).astype(np.int64), far


def _along_first_axis(
    values: npt.NDArray[np.uint8] | FloatArray, size: int, taps: int, kernel: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """Pixel centres lie at halves; beyond the border its pixel is repeated."""
    centres = (np.arange(size) + 0.5) * (values.shape[0] / size) - 0.5
    first = np.floor(centres).astype(np.int64) - taps // 2 + 1
    positions = first[:, None] + np.arange(taps)
    weights = kernel((centres[:, None] - positions).astype(np.float32))
    weights /= weights.sum(axis=1, keepdims=True)
    positions = np.clip(positions, 0, values.shape[0] - 1)
    total = np.zeros((size, *values.shape[1:]), np.float32)
    for tap in range(taps):
        total += weights[:, tap, None, None] * values[positions[:, tap]]
    return total


def _cubic(x: FloatArray) -> FloatArray:
    near = np.abs(x)
    inner = ((_CUBIC + 2) * near - (_CUBIC + 3)) * near**2 + 1
    outer = _CUBIC * (((near - 5) * near + 8) * near - 4)
    return np.asarray(np.where(near <= 1, inner, np.where(near < 2, outer, 0)), np.float32)


def _lanczos(x: FloatArray) -> FloatArray:
    return np.asarray(np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0), np.float32)


_KERNELS: dict[str, tuple[int, Callable[[FloatArray], FloatArray]]] = {"bicubic": (4, _cubic), "lanczos": (6, _lanczos)}
