"""What a broadcast does to a small crop: lost resolution, motion, colour, noise and compression."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter


@dataclass(frozen=True)
class Wear:
    """How much of it: lengths in pixels of the image, `scale` is the share of its resolution that is left."""

    scale: float
    softness: float  # radius of a Gaussian blur
    motion: float  # length of a straight movement, at most 5
    repeats: int  # how often the movement is applied
    noise: float  # standard deviation on 0 to 255
    quality: int  # of the JPEG

    @classmethod
    def usual(cls, rng: np.random.Generator) -> "Wear":
        """Such that nearly every number can be read."""
        return cls(
            scale=float(rng.uniform(0.5, 1.0)),
            softness=float(rng.uniform(0.0, 0.95)),
            motion=float(rng.uniform(1.5, 4.0)) if rng.random() < 0.25 else 0.0,
            repeats=1,
            noise=float(rng.uniform(1, 9)),
            quality=int(rng.integers(45, 93)),
        )

    @classmethod
    def smeared(cls, rng: np.random.Generator) -> "Wear":
        """Such that nobody can read the number."""
        return cls(
            scale=float(rng.uniform(0.12, 0.2)),
            softness=float(rng.uniform(1.0, 2.0)),
            motion=5.0,
            repeats=int(rng.integers(3, 6)),
            noise=float(rng.uniform(1, 9)),
            quality=int(rng.integers(35, 80)),
        )

    @property
    def blur(self) -> str:
        """none, light or strong."""
        if self.repeats > 1:
            return "strong"
        return "light" if self.softness > 0.6 or self.motion > 0 else "none"


def broadcast(image: Image.Image, wear: Wear, rng: np.random.Generator) -> Image.Image:
    """The RGB image as it would come out of a broadcast; the size stays."""
    size = image.size
    small = (max(3, round(size[0] * wear.scale)), max(3, round(size[1] * wear.scale)))
    image = image.resize(small, Image.Resampling.BICUBIC).resize(size, Image.Resampling.BICUBIC)
    if wear.softness:
        image = image.filter(ImageFilter.GaussianBlur(wear.softness))
    if wear.motion:
        kernel = _movement(float(rng.uniform(0, np.pi)), wear.motion)
        for _ in range(wear.repeats):
            image = image.filter(kernel)
    file = io.BytesIO()
    _exposed(image, wear.noise, rng).save(file, "JPEG", quality=wear.quality)
    return Image.open(file).convert("RGB")


def _movement(angle: float, length: float) -> ImageFilter.Kernel:
    """A 5 x 5 kernel along a line through its middle."""
    weights = np.zeros((5, 5))
    for step in np.linspace(-0.5, 0.5, 17):
        x, y = 2 + np.cos(angle) * step * (length - 1), 2 + np.sin(angle) * step * (length - 1)
        left, top = min(int(x), 3), min(int(y), 3)
        weights[top : top + 2, left : left + 2] += np.outer((top + 1 - y, y - top), (left + 1 - x, x - left))
    return ImageFilter.Kernel((5, 5), weights.ravel().tolist(), scale=float(weights.sum()))


def _exposed(image: Image.Image, noise: float, rng: np.random.Generator) -> Image.Image:
    """Brightness, contrast, a tint, and noise that is stronger in brightness than in colour."""
    pixels = np.asarray(image, dtype=np.float32)
    gain = rng.uniform(0.78, 1.18) * (1 + rng.normal(0, 0.07, 3))
    middle = pixels.mean()
    grain = rng.standard_normal((*pixels.shape[:2], 1), dtype=np.float32) * np.float32(noise)
    speckle = rng.standard_normal(pixels.shape, dtype=np.float32) * np.float32(noise / 2)
    contrast = np.float32(rng.uniform(0.8, 1.1))
    pixels = (middle + (pixels - middle) * contrast) * gain.astype(np.float32) + grain + speckle
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
