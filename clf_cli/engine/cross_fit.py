"""Folds of a split: what is fitted on some of its images is judged on others."""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from clf_cli.values.predictions import IntArray, Predictions

FOLDS = 5

Bools = npt.NDArray[np.bool_]


def cross_fit(predictions: Predictions) -> Iterator[tuple[Bools, Bools]]:
    """For each fold the images (N,) to fit on, and those to judge; none where all images would be in one fold."""
    of_image = folds(predictions.paths, predictions.targets)
    there = np.unique(of_image)
    for fold in there if len(there) > 1 else ():
        yield of_image != fold, of_image == fold


def folds(paths: Sequence[str], targets: IntArray) -> IntArray:
    """(N,) a fold for each image, every class spread evenly over them: a function of paths and classes alone.

    Rows with one path and class share a fold.
    """
    keys = [
        (target, hashlib.blake2b(path.encode(), digest_size=8).digest())
        for path, target in zip(paths, targets.tolist(), strict=True)
    ]
    ranks = {key: rank for rank, key in enumerate(sorted(set(keys)))}
    return np.array([ranks[key] % FOLDS for key in keys], dtype=np.int64)
