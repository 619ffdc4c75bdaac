"""What the evaluation transform does to the images of each class: what it cuts off, enlarges and stretches."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import Preprocess, ResizeMode, scaled_size

MODES: tuple[ResizeMode, ...] = get_args(ResizeMode)
NOTICED = 0.001  # share of the pixels; modes that keep less than this more are not worth a change

Sizes = Sequence[tuple[int, int]]  # width and height of each image
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """Over some images; NaN without any. Shares are means, from 0 to 1, factors are medians."""

    cut_pixels: float  # share of an image's pixels that the network never sees
    cut_side: float  # share of its longer side
    enlarged: float  # pixels of the input for one of the image, along a side; below 1 it is shrunk
    stretched: float  # how much more along one side than along the other; 1 keeps the shape
    bars: float  # share of the input that is background

    @classmethod
    def of(cls, values: Floats) -> "Fit":
        """Of values (N, 5), a row for each image."""
        if not len(values):
            return cls(*[float("nan")] * 5)
        means, medians = values.mean(axis=0), np.median(values, axis=0)
        return cls(*(float(value) for value in (*means[:2], *medians[2:4], means[4])))

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


def crop_loss(labels: Labels, rows: Sequence[str], sizes: Sizes, preprocess: Preprocess) -> CropLoss:
    """Of images with label `rows` and of `sizes`, one each; labels outside `labels` count in the whole set only."""
    distinct = list(dict.fromkeys(sizes))
    place = {size: index for index, size in enumerate(distinct)}
    which = np.array([place[size] for size in sizes], dtype=np.int64)
    values = {mode: _values(distinct, replace(preprocess, resize_mode=mode))[which] for mode in MODES}
    of_class = np.array([labels.indices.get(label, -1) for label in rows], dtype=np.int64)
    order = np.argsort(of_class, kind="stable")
    bounds = np.searchsorted(of_class[order], np.arange(len(labels) + 1))
    own = values[preprocess.resize_mode][order]
    return CropLoss(
        preprocess,
        tuple(Fit.of(own[start:end]) for start, end in pairwise(bounds.tolist())),
        {mode: Fit.of(found) for mode, found in values.items()},
    )


def _values(sizes: Sizes, preprocess: Preprocess) -> Floats:
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
