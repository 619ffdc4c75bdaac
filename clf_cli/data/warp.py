"""Where the training pixels come from: a view of the source image, seen through one 3x3 matrix.

The view is rendered with evaluation's own resize kernel (antialiased), so that a training image differs from an
evaluated one only by what was asked for; the matrix is applied to that, at its resolution, in one bilinear pass.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from clf_cli.values.preprocess import Preprocess

Matrix = npt.NDArray[np.float64]  # (3, 3) homogeneous
_MARGIN = 1  # pixels around the warped area that bilinear sampling touches
_REDUCING_GAP = 2.0  # lets Pillow shrink large photographs by whole factors first


@dataclass(frozen=True)
class View:
    """The rectangle of the source, in its pixels, that fills the network's input; it may reach beyond the image."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Crop:
    """A random crop: the share of each side that is kept, and where in the free room it lies (0 to 1)."""

    width: float
    height: float
    x: float
    y: float


def view_of(size: tuple[int, int], preprocess: Preprocess, crop: Crop | None) -> View:
    """What `preprocess.resize_mode` shows of an image of `size` (width, height), or of a random crop of it.

    Without a crop it is what evaluation sees. A crop may lie anywhere in the image, in the parts that evaluation cuts
    off too; in `letterbox` mode it is the crop that is fitted.
    """
    width, height = float(size[0]), float(size[1])
    inner = _shown(width, height, preprocess)
    left, top = (width - inner[0]) / 2, (height - inner[1]) / 2
    if crop is not None:
        inner = inner[0] * crop.width, inner[1] * crop.height
        left, top = (width - inner[0]) * crop.x, (height - inner[1]) * crop.y
    if preprocess.resize_mode != "letterbox":
        return View(left, top, *inner)
    scale = min(preprocess.width / inner[0], preprocess.height / inner[1])
    fitted = preprocess.width / scale, preprocess.height / scale
    return View(left + (inner[0] - fitted[0]) / 2, top + (inner[1] - fitted[1]) / 2, *fitted)


def affine(rotate: float = 0.0, shear: tuple[float, float] = (0.0, 0.0), zoom: float = 1.0) -> Matrix:
    """The linear part: degrees counter-clockwise, horizontal and vertical shear as slopes, zoom above 1 enlarges.

    All matrices here map output to view, in coordinates centred on the image in units of half its longer side.
    """
    cos, sin = math.cos(math.radians(rotate)), math.sin(math.radians(rotate))
    turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    lean = np.array([[1.0, shear[0], 0.0], [shear[1], 1.0, 0.0], [0.0, 0.0, zoom]])
    return np.asarray(turn @ lean)


def shift(x: float, y: float) -> Matrix:
    """Moves the picture right and down, in units of half its longer side."""
    return np.array([[1.0, 0.0, -x], [0.0, 1.0, -y], [0.0, 0.0, 1.0]])


def tilt(x: float, y: float) -> Matrix:
    """Turns the picture out of its plane; |x| + |y| is held below 0.6, so that no horizon comes into sight."""
    limit = max(1.0, (abs(x) + abs(y)) / 0.6)
    return np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [x / limit, y / limit, 1.0]])


def render(image: Image.Image, preprocess: Preprocess, view: View, matrix: Matrix | None = None) -> Image.Image:
    """The view at the network's input size, seen through `matrix`; RGB.

    What lies beyond the image repeats its edge: crops of a data set end in their own background, so a grey or black
    corner would be a mark that evaluation never shows. In `letterbox` mode it is the background, as in evaluation.
    """
    target = (preprocess.width, preprocess.height)
    if matrix is None:
        return _canvas(image, preprocess, view, (0, 0, *target))
    pixels = _to_pixels(matrix, target)
    area = _area(pixels, target)
    canvas = _canvas(image, preprocess, view, area)
    pixels = np.array([[1.0, 0.0, -area[0]], [0.0, 1.0, -area[1]], [0.0, 0.0, 1.0]]) @ pixels
    coefficients = (pixels / pixels[2, 2]).ravel()[:8].tolist()
    return canvas.transform(
        target, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR, fillcolor=preprocess.background
    )


def _shown(width: float, height: float, preprocess: Preprocess) -> tuple[float, float]:
    """Sides of the part of the source that evaluation shows, in source pixels."""
    if preprocess.resize_mode == "letterbox":
        return width, height
    if preprocess.resize_mode == "squash":
        return width * preprocess.crop_share, height * preprocess.crop_share
    scale = max(preprocess.width / width, preprocess.height / height) / preprocess.crop_share
    return preprocess.width / scale, preprocess.height / scale


def _to_pixels(matrix: Matrix, target: tuple[int, int]) -> Matrix:
    half = max(target) / 2
    x, y = target[0] / 2, target[1] / 2
    outward = np.array([[half, 0.0, x], [0.0, half, y], [0.0, 0.0, 1.0]])
    inward = np.array([[1 / half, 0.0, -x / half], [0.0, 1 / half, -y / half], [0.0, 0.0, 1.0]])
    return np.asarray(outward @ matrix @ inward)


def _area(pixels: Matrix, target: tuple[int, int]) -> tuple[int, int, int, int]:
    """The part of the view's plane (left, top, right, bottom) that the output shows, within one side around it."""
    width, height = target
    corners = pixels @ np.array([[0.0, width, 0.0, width], [0.0, 0.0, height, height], [1.0, 1.0, 1.0, 1.0]])
    x, y = (corners[0] / corners[2]).tolist(), (corners[1] / corners[2]).tolist()
    left, top = max(-width, math.floor(min(x)) - _MARGIN), max(-height, math.floor(min(y)) - _MARGIN)
    right, bottom = min(2 * width, math.ceil(max(x)) + _MARGIN), min(2 * height, math.ceil(max(y)) + _MARGIN)
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _canvas(image: Image.Image, preprocess: Preprocess, view: View, area: tuple[int, int, int, int]) -> Image.Image:
    """The `area` of the view's plane, in output pixels: what the image has of it, resized, and the rest filled."""
    left, right, source_left, source_right = _span(
        area[0], area[2], view.left, view.width / preprocess.width, image.width
    )
    top, bottom, source_top, source_bottom = _span(
        area[1], area[3], view.top, view.height / preprocess.height, image.height
    )
    tile = image.resize(
        (right - left, bottom - top),
        Image.Resampling[preprocess.interpolation.upper()],
        box=(source_left, source_top, source_right, source_bottom),
        reducing_gap=_REDUCING_GAP,
    )
    if (left, top, right, bottom) == area:
        return tile
    if preprocess.resize_mode == "letterbox":
        canvas = Image.new("RGB", (area[2] - area[0], area[3] - area[1]), preprocess.background)
        canvas.paste(tile, (left - area[0], top - area[1]))
        return canvas
    rows = np.clip(np.arange(area[1], area[3]), top, bottom - 1) - top
    columns = np.clip(np.arange(area[0], area[2]), left, right - 1) - left
    return Image.fromarray(np.asarray(tile).take(rows, axis=0).take(columns, axis=1))


def _span(start: int, stop: int, offset: float, step: float, length: int) -> tuple[int, int, float, float]:
    """Along one axis: the output pixels of start..stop that lie in the image (at least one), and their source span."""
    first = min(max(start, math.ceil(-offset / step - 1e-6)), stop - 1)
    last = max(min(stop, math.floor((length - offset) / step + 1e-6)), first + 1)
    low = min(max(offset + first * step, 0.0), length - 1e-3)
    return first, last, low, min(max(offset + last * step, low + 1e-3), float(length))
