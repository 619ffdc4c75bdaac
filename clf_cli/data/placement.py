"""Where the pixels of training images come from, for a whole batch: one 3x3 matrix an image, and its colours' 3x4.

Each source image is kept as a canvas: resized once with evaluation's kernel, so that what evaluation shows of it is
`canvas_scale` times the network's input. A matrix maps output pixels to canvas pixels; coordinates are continuous, so
that the centre of the first pixel is (0.5, 0.5).
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clf_cli.data.draws import COLOR, CROP, FLIP, RANDAUGMENT, WARP, FloatArray, signed
from clf_cli.data.knobs import Augment
from clf_cli.data.matrices import Matrices, affine, matrix_of, shift, tilt
from clf_cli.data.randaugment import geometric
from clf_cli.values.preprocess import Preprocess

LUMA = (0.299, 0.587, 0.114)
REDUCED = (2, 4, 8)  # by which a JPEG decoder can divide each side
_LONGEST_CROP = 4 / 3  # widest and tallest shape of a crop, relative to the view
_WHOLE_PIXELS = 64  # sides of the input from which crops end there: OpenCV draws them in a quarter of a warp's time
_LARGEST_CANVAS = 1.3  # canvas pixels per network pixel
_LONGEST_CANVAS = 8  # times what a view shows: of a longer image the middle


def canvas_scale(augment: Augment) -> float:
    """Canvas pixels per network pixel in what evaluation shows: what the least crop needs, and at most 1.3.

    Crops that are enlarged from a canvas lose detail twice; of such as are shrunk by more, detail folds into noise.
    """
    return float(min(augment.crop_scale**-0.5, _LARGEST_CANVAS))


def kept_sizes(sizes: npt.ArrayLike, preprocess: Preprocess) -> FloatArray:
    """(B, 2) width and height of the centre of each source that its canvas holds: all but of very long images."""
    whole = np.asarray(sizes, dtype=np.float64).reshape(-1, 2)
    return whole if preprocess.resize_mode != "crop" else np.minimum(whole, _LONGEST_CANVAS * _shown(whole, preprocess))


def canvas_sizes(sizes: npt.ArrayLike, preprocess: Preprocess, augment: Augment) -> npt.NDArray[np.int64]:
    """(B, 2) width and height of the canvases of sources of `sizes` (B, 2). Without crops and warps: the input's."""
    target = np.array([preprocess.width, preprocess.height])
    kept = kept_sizes(sizes, preprocess)
    if not augment.moves:
        return np.broadcast_to(target, kept.shape)
    if preprocess.resize_mode == "letterbox":
        sides = canvas_scale(augment) * kept * _letterbox_scale(kept, target)[:, None]
    else:
        sides = canvas_scale(augment) * target * kept / _shown(kept, preprocess)
    return np.maximum(1, np.rint(sides)).astype(np.int64)


class Cut(NamedTuple):
    """How a canvas is made: the decoder may divide each side by `reduced` (1, 2, 4 or 8) where the whole source is
    kept; `kept` (left, top, right, bottom, in source pixels) is resized to `size` (width, height)."""

    reduced: int
    kept: tuple[int, int, int, int]
    size: tuple[int, int]


def canvas_cuts(sizes: npt.ArrayLike, preprocess: Preprocess, augment: Augment) -> list[Cut]:
    """Of sources of `sizes` (B, 2), whose `canvas_sizes` they lead to."""
    whole = np.asarray(sizes, dtype=np.int64).reshape(-1, 2)
    canvases = canvas_sizes(whole, preprocess, augment)
    kept = np.rint(kept_sizes(whole, preprocess)).astype(np.int64)
    corners = (whole - kept) // 2
    complete = (kept == whole).all(axis=1)
    reduced = np.ones(len(whole), np.int64)
    for part in REDUCED:
        reduced[complete & (whole // part >= canvases).all(axis=1)] = part
    boxes = np.concatenate([corners, corners + kept], axis=1)
    rows = zip(reduced.tolist(), boxes.tolist(), canvases.tolist(), strict=True)
    return [Cut(part, tuple(box), tuple(size)) for part, box, size in rows]


def placements(draws: FloatArray, sizes: npt.ArrayLike, augment: Augment, preprocess: Preprocess) -> Matrices:
    """(B, 3, 3): output pixel to canvas pixel, of `draws` (B, 40) and sources of `sizes` (B, 2: width, height).

    Crop, shift, zoom, shear, rotation and perspective, RandAugment's geometry and the flip. A crop without any warp has
    its edges on whole pixels of the canvas, except in `letterbox` mode and for inputs of less than 64 pixels.
    """
    matrices = np.tile(np.eye(3), (len(draws), 1, 1))
    if augment.moves:
        warps = _warps(draws[:, WARP], augment) if augment.warps else matrices
        if augment.randaugment:
            warps = geometric(draws[:, RANDAUGMENT], augment.randaugment, warps)
        still = (warps == np.eye(3)).all(axis=(1, 2))
        views = _views(draws[:, CROP], sizes, augment, preprocess)
        large = max(preprocess.width, preprocess.height) >= _WHOLE_PIXELS
        if large and preprocess.resize_mode != "letterbox" and augment.crop_scale < 1:
            views[still] = _on_pixels(views[still])
        matrices = _to_canvas(views, preprocess) @ _in_pixels(warps, preprocess)
    if augment.flip:
        mirror = np.array([[-1.0, 0.0, preprocess.width], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        flipped = draws[:, FLIP] < 0.5
        matrices[flipped] = matrices[flipped] @ mirror
    return matrices / matrices[:, 2:, 2:]


def colors(draws: FloatArray, means: npt.ArrayLike, augment: Augment) -> npt.NDArray[np.float64]:
    """(B, 3, 4) from (R, G, B, 1) to RGB, on any scale: brightness, contrast about the mean, and saturation, each by
    1 ± `color`. `means` (B,) is the mean brightness (LUMA) of each placed picture, on the same scale."""
    brightness, contrast, saturation = (1 + augment.color * signed(draws[:, COLOR])).T
    gain = contrast * brightness
    matrices = np.empty((len(draws), 3, 4))
    grey = (gain * (1 - saturation))[:, None] * np.array(LUMA)
    matrices[:, :, :3] = grey[:, None] + (gain * saturation)[:, None, None] * np.eye(3)
    matrices[:, :, 3] = ((1 - contrast) * brightness * np.asarray(means, dtype=np.float64))[:, None]
    return matrices


def _warps(draws: FloatArray, augment: Augment) -> Matrices:
    """Output to view: zoom, shear and rotation about the centre, then a shift, then on half of the images a tilt."""
    signs = signed(draws)
    slope = np.tan(np.radians(augment.shear * signs[:, 1]))
    linear = affine(augment.rotate * signs[:, 0], slope, 0.0, 1 + augment.zoom * signs[:, 2])
    moved = linear @ shift(2 * augment.translate * signs[:, 3], 2 * augment.translate * signs[:, 4])
    half = augment.perspective / 2 * (draws[:, 5] < 0.5)
    return np.asarray(moved @ tilt(half * signs[:, 6], half * signs[:, 7]))


def _views(draws: FloatArray, sizes: npt.ArrayLike, augment: Augment, preprocess: Preprocess) -> FloatArray:
    """(B, 4) left, top, width, height of what fills the input, in canvas pixels; it may reach beyond the canvas.

    Without crops it is what evaluation shows. A crop may lie anywhere in the image, in the parts that evaluation cuts
    off too; in `letterbox` mode it is the crop that is fitted. It keeps `crop_scale` to 1 of the area, and at least
    `crop_scale` of each side.
    """
    kept = kept_sizes(sizes, preprocess)
    inner, place = _shown(kept, preprocess), np.full((len(draws), 2), 0.5)
    if augment.crop_scale < 1:
        area = augment.crop_scale + (1 - augment.crop_scale) * draws[:, 0]
        shape = np.exp(np.minimum(math.log(_LONGEST_CROP), -np.log(area)) * signed(draws[:, 1]))
        inner = inner * np.minimum(1.0, np.sqrt(np.stack([area * shape, area / shape], axis=1)))
        place = draws[:, 2:4]
    corner = (kept - inner) * place
    if preprocess.resize_mode == "letterbox":
        target = np.array([preprocess.width, preprocess.height])
        fitted = target / _letterbox_scale(inner, target)[:, None]
        corner, inner = corner + (inner - fitted) / 2, fitted
    pixels = canvas_sizes(sizes, preprocess, augment) / kept
    return np.concatenate([corner * pixels, inner * pixels], axis=1)


def _shown(sizes: FloatArray, preprocess: Preprocess) -> FloatArray:
    """(B, 2) sides of the part of each source that evaluation shows, in source pixels."""
    if preprocess.resize_mode == "letterbox":
        return sizes
    if preprocess.resize_mode == "squash":
        return sizes * preprocess.crop_share
    target = np.array([preprocess.width, preprocess.height])
    return np.asarray(target / (target / sizes).max(axis=1, keepdims=True) * preprocess.crop_share)


def _letterbox_scale(sizes: FloatArray, target: npt.NDArray[np.int64]) -> FloatArray:
    return np.asarray((target / sizes).min(axis=1))


def _on_pixels(views: FloatArray) -> FloatArray:
    """Edges on whole pixels, at least one apart."""
    start = np.rint(views[:, :2])
    stop = np.maximum(start + 1, np.rint(views[:, :2] + views[:, 2:]))
    return np.concatenate([start, stop - start], axis=1)


def _to_canvas(views: FloatArray, preprocess: Preprocess) -> Matrices:
    """The view's pixels, as many as the input has, to those of the canvas."""
    return matrix_of([
        [views[:, 2] / preprocess.width, 0.0, views[:, 0]],
        [0.0, views[:, 3] / preprocess.height, views[:, 1]],
        [0.0, 0.0, 1.0],
    ])  # fmt: skip


def _in_pixels(warps: Matrices, preprocess: Preprocess) -> Matrices:
    """From centred coordinates, in units of half the longer side, to pixels of the input."""
    half = max(preprocess.width, preprocess.height) / 2
    x, y = preprocess.width / 2, preprocess.height / 2
    outward = np.array([[half, 0.0, x], [0.0, half, y], [0.0, 0.0, 1.0]])
    inward = np.array([[1 / half, 0.0, -x / half], [0.0, 1 / half, -y / half], [0.0, 0.0, 1.0]])
    return np.asarray(outward @ warps @ inward)
