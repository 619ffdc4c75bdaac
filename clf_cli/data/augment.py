"""Training augmentation: one image in, the network's input pixels out, every random number from the given generator.

Each image consumes the same numbers whatever is on, so that switching one knob leaves the others' choices as they were.
"""

import io
import math

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from clf_cli.data.knobs import Augment
from clf_cli.data.randaugment import GEOMETRIC, Choice, choose, recolor
from clf_cli.data.warp import Crop, Matrix, affine, render, shift, tilt, view_of
from clf_cli.values.preprocess import Preprocess, resize

Pixels = npt.NDArray[np.uint8]
_LONGEST_CROP = 4 / 3  # widest and tallest shape of a crop, relative to the view
_LUMA = (0.299, 0.587, 0.114)
_LEAST_SIDE = 16  # down-scaling stops here: below it people cannot read a number either


def augment_image(image: Image.Image, preprocess: Preprocess, augment: Augment, rng: np.random.Generator) -> Pixels:
    """(H, W, 3) uint8 of an RGB image at the network's input size; a pure function of its arguments and `rng`'s state.

    Without any augmentation it is exactly `values.preprocess.resize`.
    """
    draws: list[float] = rng.random(40).tolist()
    choices = choose(augment.randaugment, draws[:8])
    image, quality = _degrade(image, preprocess, augment, draws[8:12])
    picture = _place(image, preprocess, augment, choices, draws[12:26])
    if augment.color:
        picture = _jitter(picture, augment.color, draws[26:29])
    picture = recolor(picture, choices)
    if draws[29] < augment.blur:
        side = max(preprocess.width, preprocess.height)
        picture = picture.filter(ImageFilter.GaussianBlur((0.02 * side * draws[30], 0.02 * side * draws[31])))
    if quality is not None:
        picture = _jpeg(picture, quality)
    pixels = np.asarray(picture)
    if draws[32] < augment.noise:
        pixels = _noise(pixels, 3.0 + 12.0 * draws[33], rng)
    if draws[34] < augment.erase:
        pixels = _erase(pixels, augment.erase_area, draws[35:39], rng)
    return pixels


def _degrade(
    image: Image.Image, preprocess: Preprocess, augment: Augment, draws: list[float]
) -> tuple[Image.Image, int | None]:
    """Loses detail at the source's own resolution, where cameras lose it; returns a JPEG quality still to be applied.

    A source with more pixels than the input gets its JPEG artefacts at input size, as they would vanish otherwise.
    """
    if draws[0] < augment.downscale:
        detail = min(1.0, preprocess.width / image.width, preprocess.height / image.height) * (0.5 + 0.4 * draws[1])
        detail = min(1.0, max(detail, _LEAST_SIDE / min(image.size)))
        size = (max(1, round(image.width * detail)), max(1, round(image.height * detail)))
        image = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    if draws[2] >= augment.jpeg:
        return image, None
    quality = 25 + int(50 * draws[3])
    if image.width * image.height > preprocess.width * preprocess.height:
        return image, quality
    return _jpeg(image, quality), None


def _place(
    image: Image.Image, preprocess: Preprocess, augment: Augment, choices: list[Choice], draws: list[float]
) -> Image.Image:
    """Crop, warp and flip: the picture at the network's input size."""
    crop = _crop(augment.crop_scale, draws[:4]) if augment.crop_scale < 1 else None
    warps = augment.warps or any(choice.moves for choice in choices)
    matrix = _geometry(choices, _matrix(augment, draws[4:13])) if warps else None
    if crop is None and matrix is None:
        picture = Image.fromarray(resize(image, preprocess))
    else:
        picture = render(image, preprocess, view_of(image.size, preprocess, crop), matrix)
    if augment.flip and draws[13] < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return picture


def _crop(scale: float, draws: list[float]) -> Crop:
    """Keeps scale..1 of the area, and at least `scale` of each side."""
    area = scale + (1 - scale) * draws[0]
    longest = min(math.log(_LONGEST_CROP), -math.log(area))
    shape = math.exp(longest * _signed(draws[1]))
    return Crop(min(1.0, math.sqrt(area * shape)), min(1.0, math.sqrt(area / shape)), draws[2], draws[3])


def _matrix(augment: Augment, draws: list[float]) -> Matrix:
    """Output to view: zoom, shear and rotation about the centre, then a shift, then on half of the images a tilt."""
    slope = math.tan(math.radians(augment.shear * _signed(draws[1])))
    linear = affine(augment.rotate * _signed(draws[0]), (slope, 0.0), 1 + augment.zoom * _signed(draws[2]))
    moved = linear @ shift(2 * augment.translate * _signed(draws[3]), 2 * augment.translate * _signed(draws[4]))
    if draws[5] >= 0.5:
        return np.asarray(moved)
    half = augment.perspective / 2
    return np.asarray(moved @ tilt(half * _signed(draws[6]), half * _signed(draws[7])))


def _jitter(picture: Image.Image, strength: float, draws: list[float]) -> Image.Image:
    """Brightness, contrast about the mean, and saturation, each by 1 ± strength, as one 3x4 matrix."""
    brightness, contrast, saturation = (1 + strength * _signed(draw) for draw in draws)
    middle = float(np.asarray(picture.reduce(picture.size))[0, 0] @ np.array(_LUMA))
    offset = (1 - contrast) * brightness * middle
    gain = contrast * brightness
    rows: list[float] = []
    for row in range(3):
        grey = [gain * (1 - saturation) * weight for weight in _LUMA]
        grey[row] += gain * saturation
        rows += [*grey, offset]
    return picture.convert("RGB", tuple(rows))


def _jpeg(picture: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer, formats=("JPEG",)).convert("RGB")


def _noise(pixels: Pixels, sigma: float, rng: np.random.Generator) -> Pixels:
    noisy = rng.standard_normal(pixels.shape, dtype=np.float32)
    noisy *= np.float32(sigma)
    noisy += pixels
    return np.clip(noisy, 0, 255, out=noisy).astype(np.uint8)


def _erase(pixels: Pixels, largest: float, draws: list[float], rng: np.random.Generator) -> Pixels:
    """A rectangle of 2 % to `largest` of the picture, in one random colour."""
    height, width = pixels.shape[:2]
    area = 0.02 + (largest - 0.02) * draws[0]
    shape = math.exp(math.log(3.0) * _signed(draws[1]))
    tall, wide = min(1.0, math.sqrt(area / shape)), min(1.0, math.sqrt(area * shape))
    top, left = round(height * (1 - tall) * draws[2]), round(width * (1 - wide) * draws[3])
    erased = pixels.copy()
    erased[top : top + max(1, round(height * tall)), left : left + max(1, round(width * wide))] = rng.integers(
        0, 256, 3, dtype=np.uint8
    )
    return erased


def _signed(draw: float) -> float:
    """0..1 to -1..1."""
    return 2 * draw - 1


def _geometry(choices: list[Choice], matrix: Matrix) -> Matrix:
    for choice in choices:
        if choice.moves:
            matrix = np.asarray(GEOMETRIC[choice.name](np.float64(choice.strength)) @ matrix)
    return matrix
