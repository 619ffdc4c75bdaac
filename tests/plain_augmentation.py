"""The same augmentation one image at a time, in Pillow, from the source: what the batch path is compared with."""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from clf_cli.data.draws import draw_generator, draw_numbers
from clf_cli.data.knobs import Augment
from clf_cli.data.randaugment import COLOURS
from clf_cli.values.preprocess import Preprocess, resize

Pixels = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float64]  # (3, 3) homogeneous
OPERATIONS, MAGNITUDES = 2, 30
_MARGIN = 1  # pixels around the warped area that bilinear sampling touches
_REDUCING_GAP = 2.0  # lets Pillow shrink large photographs by whole factors first
_LONGEST_CROP = 4 / 3  # widest and tallest shape of a crop, relative to the view
_LUMA = (0.299, 0.587, 0.114)
_LEAST_SIDE = 16  # down-scaling stops here: below it people cannot read a number either


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


GEOMETRIC: dict[str, Callable[[float], Matrix]] = {
    "rotate": lambda strength: affine(rotate=30 * strength),
    "shear-x": lambda strength: affine(shear=(0.3 * strength, 0.0)),
    "shear-y": lambda strength: affine(shear=(0.0, 0.3 * strength)),
    "shift-x": lambda strength: shift(0.9 * strength, 0.0),
    "shift-y": lambda strength: shift(0.0, 0.9 * strength),
}
NAMES = (*GEOMETRIC, *COLOURS)


@dataclass(frozen=True)
class Choice:
    """An operation and its signed strength, -1 to 1."""

    name: str
    strength: float

    @property
    def moves(self) -> bool:
        return self.name in GEOMETRIC


def choose(magnitude: int, draws: list[float]) -> list[Choice]:
    """The operations of one image; none at magnitude 0. Uses two of `draws` (0 to 1) for each."""
    if magnitude == 0:
        return []
    strength = magnitude / MAGNITUDES
    return [
        Choice(NAMES[int(draws[2 * i] * len(NAMES))], strength if draws[2 * i + 1] < 0.5 else -strength)
        for i in range(OPERATIONS)
    ]


def geometry(choices: list[Choice], matrix: Matrix) -> Matrix:
    """`matrix` with the geometric choices in front."""
    for choice in choices:
        if choice.moves:
            matrix = np.asarray(GEOMETRIC[choice.name](choice.strength) @ matrix)
    return matrix


def recolor(image: Image.Image, choices: list[Choice]) -> Image.Image:
    """The other choices, in order."""
    for choice in choices:
        if not choice.moves:
            image = COLOURS[choice.name](image, choice.strength)
    return image


def plain_augment(image: Image.Image, preprocess: Preprocess, augment: Augment, key: tuple[int, int, int]) -> Pixels:
    """(H, W, 3) uint8 of an RGB image at the network's input size; `key` is (seed, epoch, position).

    Without any augmentation it is exactly `values.preprocess.resize`.
    """
    draws: list[float] = draw_numbers(key[0], key[1], [key[2]])[0].tolist()
    rng = draw_generator(*key)
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
    matrix = geometry(choices, _matrix(augment, draws[4:13])) if warps else None
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
