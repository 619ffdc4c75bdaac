"""What the pixels of an image say about it: brightness, spread, detail, and a hash that survives small changes."""

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from clf_cli.data.detail import CENTRE, centre, details

GRID = 64  # of more pixels a side than this every n-th is looked at: all cost 0.7 of the decoding of a photo
SIDE = 32  # of the thumbnail that the hash is taken from
_POWERS = np.arange(256, dtype=np.float64)[:, None] ** [0, 1, 2]
_PACKED = struct.Struct("=768I")  # numpy takes a list of 768 numbers in 50 us, this in 10

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PixelFacts:
    """Of an upright RGB image, in levels of 0 to 255; all but `detail` of at most GRID x GRID of its pixels."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    low: float  # 1st percentile of the darkest channel
    high: float  # 99th percentile of the brightest channel
    detail: float | None  # data/detail.py; None of small and flat images
    hash: str  # 64 bits, hex: signs of the 8 x 8 lowest frequencies of the thumbnail against their median


def on_grid(image: Image.Image, most: int) -> Image.Image:
    """Every n-th pixel of rows and columns that are more than `most`."""
    size = (min(image.width, most), min(image.height, most))
    return image if size == image.size else image.resize(size, Image.Resampling.NEAREST)


class Collected:
    """What is kept of decoded images until their facts are computed, for many at once: at most 12 kB an image."""

    def __init__(self, most: int) -> None:
        """For at most that many images."""
        self._histograms: list[bytes] = []
        self._thumbnails = Image.new("RGB", (SIDE, SIDE * most))  # one below the other: bytes of each cost 5 us more
        self._centres: Image.Image | None = None  # likewise, of the images at `_with_centre`
        self._with_centre: list[int] = []
        self._most = most

    def add(self, image: Image.Image) -> None:
        """Takes an RGB image."""
        place = len(self._histograms)
        grid = on_grid(image, GRID)
        self._histograms.append(_PACKED.pack(*grid.histogram()))
        small = grid.resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=1)
        self._thumbnails.paste(small, (0, SIDE * place))
        middle = centre(image)
        if middle is None:
            return
        if self._centres is None:
            self._centres = Image.new("RGB", (CENTRE, CENTRE * self._most))
        self._centres.paste(middle, (0, CENTRE * len(self._with_centre)))
        self._with_centre.append(place)

    def facts(self) -> list[PixelFacts]:
        """One for each image, in the order in which they were added."""
        if not self._histograms:
            return []
        thumbnails = self._thumbnails.crop((0, 0, SIDE, SIDE * len(self._histograms))).convert("L")
        grey = np.asarray(thumbnails).reshape(-1, SIDE, SIDE).astype(np.float32)
        counts = np.frombuffer(b"".join(self._histograms), dtype=np.uint32).reshape(-1, 3, 256)
        moments = counts @ _POWERS  # (N, 3, 3): pixels, their sum, their sum of squares
        mean, square = moments[..., 1] / moments[..., 0], moments[..., 2] / moments[..., 0]
        variance = np.maximum(square - mean**2, 0)
        below = counts.cumsum(axis=2, dtype=np.uint32)
        least, most = (np.ceil(share * moments[..., :1]).astype(np.uint32) for share in (0.01, 0.99))
        low = np.count_nonzero(below < least, axis=2).min(axis=1).tolist()
        high = np.count_nonzero(below < most, axis=2).max(axis=1).tolist()
        hashes = perceptual_hashes(grey)
        means, stds = mean.round(2).tolist(), np.sqrt(variance).round(2).tolist()
        fine = self._details()
        return [
            PixelFacts(tuple(mean), tuple(std), float(dark), float(bright), detail, text)
            for mean, std, dark, bright, detail, text in zip(means, stds, low, high, fine, hashes, strict=True)
        ]

    def _details(self) -> list[float | None]:
        found: list[float | None] = [None] * len(self._histograms)
        if self._centres is not None:
            centres = np.asarray(self._centres).reshape(-1, CENTRE, CENTRE, 3)[: len(self._with_centre)]
            for place, detail in zip(self._with_centre, details(centres), strict=True):
                found[place] = detail
        return found


def _cosines() -> Floats:
    """(8, SIDE): rows of the orthogonal DCT-II, the constant one first."""
    position, frequency = np.arange(SIDE) + 0.5, np.arange(8)[:, None]
    return np.cos(np.pi * frequency * position / SIDE).astype(np.float32)


_COSINES = _cosines()


def perceptual_hashes(grey: Floats) -> list[str]:
    """Of thumbnails (N, SIDE, SIDE): 64 bits each as 16 hex digits; similar images differ in few bits.

    The classic pHash (a DCT, its 8 x 8 lowest frequencies, bits against their median without the constant one).
    """
    spectrum = (_COSINES @ grey @ _COSINES.T).reshape(-1, 64)
    median = np.sort(spectrum[:, 1:], axis=1)[:, 31:32]
    return [bits.tobytes().hex() for bits in np.packbits(spectrum > median, axis=1)]
