"""How bright a data set's images are and how much they vary, beside what the model takes for granted."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np

from clf_cli.data.scan import FileFacts
from clf_cli.values.preprocess import Preprocess

Channels = tuple[float, float, float]  # red, green, blue
UNMEASURED: Channels = (nan, nan, nan)


@dataclass(frozen=True)
class PixelStatistics:
    """On the scale 0 to 1; every image weighs the same, whatever its size. NaN without images."""

    images: int
    mean: Channels
    std: Channels  # of single pixels about the mean of all

    @classmethod
    def of(cls, files: Iterable[FileFacts]) -> "PixelStatistics":
        """Of the files whose pixels were read."""
        read = (file.pixels for file in files if file.pixels is not None)
        numbers = (number for pixels in read for number in (*pixels.mean, *pixels.std))
        values = np.fromiter(numbers, dtype=np.float64).reshape(-1, 6) / 255
        if not len(values):
            return cls(0, UNMEASURED, UNMEASURED)
        means, stds = values[:, :3], values[:, 3:]
        mean = means.mean(axis=0)
        square = (stds**2 + means**2).mean(axis=0)
        return cls(len(values), _channels(mean), _channels(np.sqrt(np.maximum(square - mean**2, 0))))

    def to_json(self) -> dict[str, Any]:
        return {"images": self.images, "mean": list(self.mean), "std": list(self.std)}


@dataclass(frozen=True)
class Normalized:
    """What the network is fed: near 0 and 1 is what its weights were made for, wherever they come from."""

    mean: Channels  # of the normalised pixels
    std: Channels

    @classmethod
    def of(cls, found: PixelStatistics, preprocess: Preprocess) -> "Normalized":
        mean, std = np.array(preprocess.mean), np.array(preprocess.std)
        return cls(_channels((np.array(found.mean) - mean) / std), _channels(np.array(found.std) / std))

    def to_json(self) -> dict[str, Any]:
        return {"mean": list(self.mean), "std": list(self.std)}


def _channels(values: np.ndarray[Any, np.dtype[np.float64]]) -> Channels:
    red, green, blue = (round(float(value), 4) for value in values)
    return red, green, blue
