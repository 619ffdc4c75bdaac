"""What the evaluation transform does to the images of each class: what it cuts off, enlarges and stretches."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import Preprocess, ResizeMode, scaled_size

MODES: tuple[ResizeMode, ...] = get_args(ResizeMode)
NOTICED = 0.001  # share of the pixels; modes that keep less than this more are not worth a change

Size = tuple[int, int]  # width and height
Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fit:
    """Over some images; NaN without any. Shares are means, from 0 to 1, factors are medians."""

    cut_pixels: float  # share of an image's pixels that the network never sees
    cut_side: float  # share of its longer side
    enlarged: float  # pixels of the input for one of the image, along a side; below 1 it is shrunk
    stretched: float  # how much more along one side than along the other; 1 keeps the shape
    bars: float  # share of the input that is background

    @classmethod
    def of(cls, values: Floats, images: Counts) -> "Fit":
        """Of values (N, 5), a row for each of `images` (N,)."""
        if not len(values):
            return cls(*[float("nan")] * 5)
        cut_pixels, cut_side, _, _, bars = np.average(values, axis=0, weights=images).tolist()
        return cls(cut_pixels, cut_side, _median(values[:, 2], images), _median(values[:, 3], images), bars)

    def to_json(self) -> dict[str, float]:
        return {
            "cut_pixels": self.cut_pixels,
            "cut_side": self.cut_side,
            "enlarged": self.enlarged,
            "stretched": self.stretched,
            "bars": self.bars,
        }


@dataclass(frozen=True)
class CropLoss:
    """For a network input of `preprocess`."""

    preprocess: Preprocess
    classes: tuple[Fit, ...]  # (C,) of each class, in label order
    modes: dict[ResizeMode, Fit]  # of all images, for each way to resize at the same crop_share

    @property
    def whole(self) -> Fit:
        return self.modes[self.preprocess.resize_mode]

    @property
    def keeping_more(self) -> tuple[ResizeMode, ...]:
        """Ways to resize that would keep more of the pixels, the one that stretches least first."""
        most = self.whole.cut_pixels - NOTICED
        better = [mode for mode, fit in self.modes.items() if fit.cut_pixels < most]
        return tuple(sorted(better, key=lambda mode: self.modes[mode].stretched))

    def to_json(self) -> dict[str, Any]:
        return {
            "height": self.preprocess.height,
            "width": self.preprocess.width,
            "resize_mode": self.preprocess.resize_mode,
            "crop_share": self.preprocess.crop_share,
            "modes": {mode: fit.to_json() for mode, fit in self.modes.items()},
            "keeping_more": list(self.keeping_more),
        }


def crop_loss(labels: Labels, rows: Iterable[tuple[str, Size]], preprocess: Preprocess) -> CropLoss:
    """Of the label and the size of each image; labels outside `labels` count in the whole set only."""
    counts = Counter((labels.indices.get(label, -1), size) for label, size in rows)
    found = sorted(counts)
    distinct = list(dict.fromkeys(size for _, size in found))
    place = {size: index for index, size in enumerate(distinct)}
    which = np.array([place[size] for _, size in found], dtype=np.int64)
    images = np.array([counts[one] for one in found], dtype=np.int64)
    values = {mode: _values(distinct, replace(preprocess, resize_mode=mode))[which] for mode in MODES}
    bounds = np.searchsorted([index for index, _ in found], np.arange(len(labels) + 1)).tolist()
    own = values[preprocess.resize_mode]
    return CropLoss(
        preprocess,
        tuple(Fit.of(own[start:end], images[start:end]) for start, end in pairwise(bounds)),
        {mode: Fit.of(of_mode, images) for mode, of_mode in values.items()},
    )


def _median(values: Floats, images: Counts) -> float:
    """Of each value as often as its images."""
    order = np.argsort(values)
    upto = np.cumsum(images[order])
    middle = np.searchsorted(upto, [(upto[-1] - 1) // 2, upto[-1] // 2], side="right")
    return float(values[order][middle].mean())


def _values(sizes: Sequence[Size], preprocess: Preprocess) -> Floats:
    """(N, 5): for each size what Fit says."""
    if not sizes:
        return np.zeros((0, 5))
    target = np.array((preprocess.width, preprocess.height), dtype=np.float64)
    images = np.array(sizes, dtype=np.float64)
    scaled = np.array([scaled_size(size, preprocess) for size in sizes], dtype=np.float64)
    kept = np.minimum(target / scaled, 1)  # (N, 2) of the width, of the height
    scale = scaled / images
    longer = np.where(images[:, 0] >= images[:, 1], kept[:, 0], kept[:, 1])
    longer = np.where(images[:, 0] == images[:, 1], kept.min(axis=1), longer)
    filled = np.minimum(scaled, target).prod(axis=1) / target.prod()
    columns = (
        1 - kept.prod(axis=1),
        1 - longer,
        np.sqrt(scale.prod(axis=1)),
        scale.max(axis=1) / scale.min(axis=1),
        1 - filled,
    )
    return np.stack(columns, axis=1)
