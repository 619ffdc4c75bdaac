"""Training augmentation of a whole batch: canvases in, the network's input pixels out, a function of the draws' keys.

Each image consumes the same numbers whatever is on, so that switching one knob leaves the others' choices as they were.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from clf_cli.data.canvas import canvas_of
from clf_cli.data.draws import (
    BLUR,
    DEGRADE,
    ERASE,
    NOISE,
    RANDAUGMENT,
    FloatArray,
    draw_generator,
    draw_numbers,
)
from clf_cli.data.effects import add_noise, blur, degraded, erase, fewer_pixels, jpeg
from clf_cli.data.knobs import Augment
from clf_cli.data.placement import LUMA, colors, placements
from clf_cli.data.randaugment import choose, recolor
from clf_cli.data.warp import Pixels, draw_all, opencv
from clf_cli.values.preprocess import Preprocess

MEAN_GRID = 32  # rows and columns of a picture that its mean brightness is taken from


class Keys(NamedTuple):
    """What the random numbers of a batch are of: a seed, an epoch (from 0) and places (B,) in its order."""

    seed: int
    epoch: int
    positions: Sequence[int]


def augment_batch(
    canvases: Sequence[Pixels], sizes: npt.ArrayLike, keys: Keys, preprocess: Preprocess, augment: Augment, out: Pixels
) -> None:
    """Fills `out` (B, H, W, 3) uint8 from `canvases`, of sources of `sizes` (B, 2: width, height)."""
    draws = draw_numbers(*keys)
    sources = np.asarray(sizes)
    later: list[int | None] = [None] * len(draws)
    if augment.downscale or augment.jpeg:
        worse = [_degraded(*row, preprocess, augment) for row in zip(canvases, sources.tolist(), draws, strict=True)]
        canvases, later = [canvas for canvas, _ in worse], [quality for _, quality in worse]
    draw_all(canvases, placements(draws, sources, augment, preprocess), preprocess, out)
    if augment.color:
        _recolor_all(out, draws, augment)
    if augment.randaugment or augment.blur or augment.jpeg or augment.noise or augment.erase:
        for picture, row, position, quality in zip(out, draws, keys.positions, later, strict=True):
            _finish(picture, row.tolist(), quality, augment, (keys.seed, keys.epoch, int(position)))


def augment_image(image: Image.Image, preprocess: Preprocess, augment: Augment, keys: Keys) -> Pixels:
    """(B, H, W, 3) uint8: an RGB image as it is drawn with each of the keys; a pure function of its arguments.

    Without any augmentation it is exactly `values.preprocess.resize`.
    """
    count = len(keys.positions)
    out = np.empty((count, preprocess.height, preprocess.width, 3), np.uint8)
    canvas = canvas_of(image, preprocess, augment)
    augment_batch([canvas] * count, [image.size] * count, keys, preprocess, augment, out)
    return out


def _degraded(
    canvas: Pixels, sides: list[int], row: FloatArray, preprocess: Preprocess, augment: Augment
) -> tuple[Pixels, int | None]:
    """A worse source: fewer pixels, JPEG artefacts. A JPEG quality comes back when it is for the finished picture.

    JPEG is applied where there are fewer pixels, in the source or in the network's input.
    """
    draws = row[DEGRADE].tolist()
    size = source = (sides[0], sides[1])
    if draws[0] < augment.downscale:
        size = fewer_pixels(source, preprocess, draws[1])
    quality = 25 + int(50 * draws[3]) if draws[2] < augment.jpeg else None
    here = None if size[0] * size[1] > preprocess.width * preprocess.height else quality
    if size != source or here is not None:
        canvas = degraded(canvas, size, size != source, here)
    return canvas, None if here is not None else quality


def _recolor_all(out: Pixels, draws: FloatArray, augment: Augment) -> None:
    """The mean brightness of each picture, for its contrast, is that of a grid of at least 32 x 32 of its pixels."""
    rows, columns = (max(1, side // MEAN_GRID) for side in out.shape[1:3])
    grid = out[:, rows // 2 :: rows, columns // 2 :: columns].astype(np.float32).reshape(len(out), -1, 3)
    sums = np.ones((1, grid.shape[1]), np.float32) @ grid  # whole numbers below 2**24; mean() takes 22 us an image more
    means = sums[:, 0].astype(np.float64) / grid.shape[1] @ np.array(LUMA)
    transform = opencv().transform
    for picture, matrix in zip(out, colors(draws, means, augment).astype(np.float32), strict=True):
        transform(picture, matrix, dst=picture)


def _finish(
    picture: Pixels, draws: list[float], quality: int | None, augment: Augment, key: tuple[int, int, int]
) -> None:
    """What comes after placing and colours, in place."""
    if augment.randaugment:
        choices = choose(augment.randaugment, draws[RANDAUGMENT])
        if any(not choice.moves for choice in choices):
            picture[:] = np.asarray(recolor(Image.fromarray(picture), choices))
    share, across, down = draws[BLUR]
    if share < augment.blur:
        side = 0.02 * max(picture.shape)
        blur(picture, side * across, side * down)
    if quality is not None:
        picture[:] = jpeg(picture, quality)
    noisy, holed = draws[NOISE][0] < augment.noise, draws[ERASE][0] < augment.erase
    if not (noisy or holed):
        return
    rng = draw_generator(*key)
    color = rng.integers(0, 256, 3, dtype=np.uint8)
    if noisy:
        add_noise(picture, 3.0 + 12.0 * draws[NOISE][1], rng)
    if holed:
        erase(picture, augment.erase_area, draws[ERASE][1:], color)
