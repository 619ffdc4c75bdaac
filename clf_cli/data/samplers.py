"""Which images an epoch sees, in which order: pure functions of (seed, epoch)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from clf_cli.data.draws import FloatArray, order_generator
from clf_cli.data.samples import Sample
from clf_cli.values.labels import Labels

IntArray = npt.NDArray[np.int64]


def uniform_order(count: int, seed: int, epoch: int) -> IntArray:
    """(count,) every index once."""
    return order_generator(seed, epoch).permutation(count).astype(np.int64)


def balanced_order(targets: IntArray, seed: int, epoch: int) -> IntArray:
    """(N,) indices drawn with replacement, so that every class present is equally likely; N = len(targets)."""
    weights = class_weights(np.bincount(targets))[targets]
    edges = np.cumsum(weights)
    draws = order_generator(seed, epoch).random(len(targets)) * edges[-1]
    drawn = np.searchsorted(edges, draws, side="right")
    return np.asarray(np.minimum(drawn, len(targets) - 1), dtype=np.int64)


def epoch_order(targets: IntArray, seed: int, epoch: int, balanced: bool) -> IntArray:
    """(N,) what all processes together draw in an epoch, which counts from 0."""
    return balanced_order(targets, seed, epoch) if balanced else uniform_order(len(targets), seed, epoch)


def epoch_length(images: int, batch_size: int) -> int:
    """How many of `images` draws a process takes: batch normalisation cannot learn from a last batch of one image."""
    lonely = images > 1 and batch_size > 1 and images % batch_size == 1
    return images - 1 if lonely else images


def of_rank(order: IntArray, rank: int, world: int) -> IntArray:
    """One process's share of a training order: equal for all, so up to world - 1 draws at the end are left out.

    Evaluation must not use it: there nothing may be left out, and `range(rank, n, world)` is right.
    """
    return order[: len(order) // world * world][rank::world]


def class_weights(counts: npt.NDArray[np.integer]) -> FloatArray:
    """(C,) weights inverse to the class counts, 1 on average over the images; 0 for a class without images."""
    present = counts > 0
    shares = counts / max(1, counts.sum())
    return np.asarray(np.divide(1.0, shares * present.sum(), out=np.zeros(len(counts)), where=present))


def targets_of(samples: Sequence[Sample], labels: Labels) -> IntArray:
    """(N,) the index of each sample's label."""
    return np.array([labels.indices[sample.label] for sample in samples], dtype=np.int64)


def drawn_counts(order: IntArray, targets: IntArray, classes: int) -> IntArray:
    """(C,) how many images of each class an order draws."""
    return np.bincount(targets[order], minlength=classes).astype(np.int64)


def batches_with(order: IntArray, targets: IntArray, classes: int, batch_size: int) -> IntArray:
    """(C,) how many of an order's batches hold an image of each class."""
    batch = np.arange(len(order)) // batch_size
    cells = np.unique(batch * classes + targets[order])
    return np.bincount(cells % classes, minlength=classes).astype(np.int64)


def expected_counts(targets: IntArray, classes: int, draws: int, balanced: bool) -> FloatArray:
    """(C,) how many images of each class `draws` draws would take on average."""
    counts = np.bincount(targets, minlength=classes)
    shares = (counts > 0) / max(1, (counts > 0).sum()) if balanced else counts / max(1, counts.sum())
    return np.asarray(draws * shares, dtype=np.float64)
