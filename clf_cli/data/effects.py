"""What happens to one picture apart from where its pixels come from: worse sources, colours, blur, noise, holes."""

import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from clf_cli.data.warp import Pixels, opencv
from clf_cli.values.preprocess import Preprocess

_LEAST_SIDE = 16  # down-scaling stops here: below it people cannot read a number either


def fewer_pixels(size: tuple[int, int], preprocess: Preprocess, strength: float) -> tuple[int, int]:
    """Half to nine tenths of the pixels a side that the network sees, or that a source of `size` (width, height) has.

    `strength` is from 0 to 1.
    """
    detail = min(1.0, preprocess.width / size[0], preprocess.height / size[1]) * (0.5 + 0.4 * strength)
    detail = min(1.0, max(detail, _LEAST_SIDE / min(size)))
    return max(1, round(size[0] * detail)), max(1, round(size[1] * detail))


def degraded(canvas: Pixels, size: tuple[int, int], fewer: bool, quality: int | None) -> Pixels:
    """The canvas as if its source had `size` (width, height), fewer pixels than it has or its own, and was saved as
    JPEG of that quality.

    A canvas that was enlarged passes through the source's pixels, so that reading it there gives them back; an area
    filter would take a quarter of the detail of 40 px crops enlarged to 64.
    """
    cv2 = opencv()
    if fewer:
        small = np.asarray(Image.fromarray(canvas).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))
    else:
        small = _to(canvas, size, cv2.INTER_CUBIC)
    if quality is not None:
        small = jpeg(small, quality)
    return np.asarray(Image.fromarray(small).resize(canvas.shape[1::-1], Image.Resampling.BICUBIC))


def jpeg(picture: Pixels, quality: int) -> Pixels:
    """The picture, RGB, as JPEG shows it."""
    cv2 = opencv()
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded: Pixels = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    return decoded


def blur(picture: Pixels, across: float, down: float) -> None:
    """A Gaussian, in place, of these standard deviations in pixels."""
    cv2 = opencv()
    cv2.GaussianBlur(
        picture, (0, 0), max(across, 1e-3), dst=picture, sigmaY=max(down, 1e-3), borderType=cv2.BORDER_REPLICATE
    )


def add_noise(picture: Pixels, sigma: float, rng: np.random.Generator) -> None:
    """Gaussian, of each channel, in place; `sigma` in levels of 0 to 255."""
    cv2 = opencv()
    noise = rng.standard_normal(picture.shape, dtype=np.float32)
    noise *= np.float32(sigma)
    cv2.add(picture, noise, dst=picture, dtype=cv2.CV_8U)


def erase(picture: Pixels, largest: float, draws: list[float], color: npt.NDArray[np.uint8]) -> None:
    """A rectangle of 2 % to `largest` of the picture, in one colour (3,), in place."""
    rows, columns = erased_part(picture.shape[:2], largest, draws)
    picture[rows, columns] = color


def erased_part(shape: tuple[int, ...], largest: float, draws: list[float]) -> tuple[slice, slice]:
    """Rows and columns of that rectangle in a picture of `shape` (height, width)."""
    height, width = shape
    area = 0.02 + (largest - 0.02) * draws[0]
    form = math.exp(math.log(3.0) * (2 * draws[1] - 1))
    tall, wide = min(1.0, math.sqrt(area / form)), min(1.0, math.sqrt(area * form))
    top, left = round(height * (1 - tall) * draws[2]), round(width * (1 - wide) * draws[3])
    return slice(top, top + max(1, round(height * tall))), slice(left, left + max(1, round(width * wide)))


def _to(pixels: Pixels, size: tuple[int, ...], kernel: int) -> Pixels:
    if pixels.shape[1::-1] == tuple(size):
        return pixels
    resized: Pixels = opencv().resize(pixels, size, interpolation=kernel)
    return resized
