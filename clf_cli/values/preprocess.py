"""The one evaluation transform: RGB image in, the network's input out. Pillow and numpy only."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

ResizeMode = Literal["squash", "crop", "letterbox"]
InputArray = npt.NDArray[Any]  # a batch of network inputs: normalised float32, or uint8 pixels
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
BACKGROUND = (128, 128, 128)  # behind transparency and around letterboxed images

_KERNELS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True)
class Preprocess:
    """How an RGB image becomes the network's input.

    `squash` resizes both sides to the input; `crop` resizes the short side and cuts the centre out; `letterbox`
    fits the long side and fills with `background`. `crop_share` below 1 resizes to size / crop_share and cuts the
    centre out (squash and crop only). `mean` and `std` are per RGB channel, on the scale 0 to 1. With
    `normalized_in_graph` the network takes uint8 pixels and normalises them itself.
    """

    height: int
    width: int
    resize_mode: ResizeMode = "squash"
    interpolation: Interpolation = "bicubic"
    crop_share: float = 1.0
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    background: tuple[int, int, int] = BACKGROUND
    normalized_in_graph: bool = False

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Of one image: (3, H, W) float32, or (H, W, 3) uint8 where the graph normalises."""
        return (self.height, self.width, 3) if self.normalized_in_graph else (3, self.height, self.width)

    def to_json(self) -> dict[str, Any]:
        """The plain-data form in checkpoints, whose networks never normalise."""
        values = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        del values["normalized_in_graph"]
        return values

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Preprocess":
        """Raises TypeError for keys that are missing or unknown."""
        values: dict[str, Any] = {}
        for key, value in data.items():
            values[key] = tuple(value) if isinstance(value, list) else value
        return cls(**values)


def resize(image: Image.Image, preprocess: Preprocess) -> npt.NDArray[np.uint8]:
    """Pixels (H, W, 3), uint8, RGB, of an RGB image. Pillow's resize is antialiased."""
    target = (preprocess.width, preprocess.height)
    scaled = scaled_size(image.size, preprocess)
    resized = _scaled(image, scaled, _KERNELS[preprocess.interpolation])
    if preprocess.resize_mode == "letterbox":
        return np.asarray(_letterboxed(resized, target, preprocess.background))
    left, top = (scaled[0] - target[0]) // 2, (scaled[1] - target[1]) // 2
    if scaled != target:
        resized = resized.crop((left, top, left + target[0], top + target[1]))
    return np.asarray(resized)


def scaled_size(size: tuple[int, int], preprocess: Preprocess) -> tuple[int, int]:
    """Width and height to which an image of this width and height is resized, before it is cut or fitted with bars."""
    target = (preprocess.width, preprocess.height)
    if preprocess.resize_mode == "letterbox":
        scale = min(target[0] / size[0], target[1] / size[1])
        return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    scaled = (round(target[0] / preprocess.crop_share), round(target[1] / preprocess.crop_share))
    if preprocess.resize_mode == "squash":
        return scaled
    scale = max(scaled[0] / size[0], scaled[1] / size[1])
    return max(target[0], round(size[0] * scale)), max(target[1], round(size[1] * scale))


def normalize(
    pixels: npt.NDArray[np.uint8], preprocess: Preprocess, out: npt.NDArray[np.float32] | None = None
) -> npt.NDArray[np.float32]:
    """(..., H, W, 3) uint8 to (..., 3, H, W) float32: (x / 255 - mean) / std, computed in float32; into `out`, if
    given.

    The channels part first: in place on planes, arithmetic takes a fifth of its time on interleaved pixels.
    """
    planes = np.moveaxis(pixels, -1, -3)
    values = np.empty(planes.shape, np.float32) if out is None else out
    values[...] = planes
    values /= np.float32(255.0)
    values -= np.array(preprocess.mean, np.float32)[:, None, None]
    values /= np.array(preprocess.std, np.float32)[:, None, None]
    return values


def preprocess_image(image: Image.Image, preprocess: Preprocess, out: InputArray | None = None) -> InputArray:
    """The network's input for one RGB image: (3, H, W) float32, or (H, W, 3) uint8 where the graph normalises; into
    `out`, if given."""
    pixels = resize(image, preprocess)
    if not preprocess.normalized_in_graph:
        return normalize(pixels, preprocess, out)
    if out is None:
        return pixels
    out[...] = pixels
    return out


def as_input_of(inputs: InputArray, source: Preprocess, target: Preprocess) -> InputArray:
    """Inputs (N, ...) that were made for `source` as `target` takes them: pixels are normalised where that is missing.

    Raises ValueError for the way back: normalised values have lost their pixels.
    """
    if source.normalized_in_graph == target.normalized_in_graph:
        return inputs
    if inputs.dtype != np.uint8:
        raise ValueError("normalised values cannot become pixels again")
    return normalize(inputs, target)


def _scaled(image: Image.Image, size: tuple[int, int], kernel: Image.Resampling) -> Image.Image:
    """First to the width, then to the height, rounded to 8 bits between.

    In one call Pillow 13 begins with the height of some tall images, which earlier versions do not (its pull request
    9549): up to 4 of 255 levels at 300 x 100 pixels.
    """
    if image.size == size:
        return image
    return image.resize((size[0], image.height), kernel).resize(size, kernel)


def _letterboxed(resized: Image.Image, target: tuple[int, int], background: tuple[int, int, int]) -> Image.Image:
    canvas = Image.new("RGB", target, background)
    canvas.paste(resized, ((target[0] - resized.width) // 2, (target[1] - resized.height) // 2))
    return canvas
