"""The one evaluation transform: RGB image in, normalised float32 tensor out. Pillow and numpy only."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

ResizeMode = Literal["squash", "crop", "letterbox"]
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
    centre out (squash and crop only). `mean` and `std` are per RGB channel, on the scale 0 to 1.
    """

    height: int
    width: int
    resize_mode: ResizeMode = "squash"
    interpolation: Interpolation = "bicubic"
    crop_share: float = 1.0
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    background: tuple[int, int, int] = BACKGROUND

    def to_json(self) -> dict[str, Any]:
        """The plain-data form in checkpoints."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

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
    kernel = _KERNELS[preprocess.interpolation]
    if preprocess.resize_mode == "letterbox":
        return np.asarray(_letterbox(image, target, kernel, preprocess.background))
    scaled = (round(target[0] / preprocess.crop_share), round(target[1] / preprocess.crop_share))
    if preprocess.resize_mode == "crop":
        scale = max(scaled[0] / image.width, scaled[1] / image.height)
        scaled = (max(target[0], round(image.width * scale)), max(target[1], round(image.height * scale)))
    resized = image if image.size == scaled else image.resize(scaled, kernel)
    left, top = (scaled[0] - target[0]) // 2, (scaled[1] - target[1]) // 2
    if scaled != target:
        resized = resized.crop((left, top, left + target[0], top + target[1]))
    return np.asarray(resized)


def normalize(pixels: npt.NDArray[np.uint8], preprocess: Preprocess) -> npt.NDArray[np.float32]:
    """(..., H, W, 3) uint8 to (..., 3, H, W) float32: (x / 255 - mean) / std, computed in float32."""
    mean, std = np.array(preprocess.mean, np.float32), np.array(preprocess.std, np.float32)
    scaled = (pixels.astype(np.float32) / np.float32(255.0) - mean) / std
    return np.ascontiguousarray(np.moveaxis(scaled, -1, -3))


def preprocess_image(image: Image.Image, preprocess: Preprocess) -> npt.NDArray[np.float32]:
    """The network's input (3, H, W) float32 for one RGB image."""
    return normalize(resize(image, preprocess), preprocess)


def _letterbox(
    image: Image.Image, target: tuple[int, int], kernel: Image.Resampling, background: tuple[int, int, int]
) -> Image.Image:
    scale = min(target[0] / image.width, target[1] / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    canvas = Image.new("RGB", target, background)
    resized = image if image.size == size else image.resize(size, kernel)
    canvas.paste(resized, ((target[0] - size[0]) // 2, (target[1] - size[1]) // 2))
    return canvas
