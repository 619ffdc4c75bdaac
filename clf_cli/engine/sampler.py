"""What the sampler drew in an epoch against what it should draw, and what the loss then makes of it."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from clf_cli.data.dataset import Dataset
from clf_cli.data.samplers import (
    batches_with,
    class_weights,
    drawn_counts,
    epoch_length,
    epoch_order,
    expected_counts,
    targets_of,
)
from clf_cli.settings.sections import OptimSection
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import IntArray
from clf_cli.values.report import FindingJson, Report, finding

Vector = npt.NDArray[np.float64]
NAN = float("nan")
_PRECISION = 1e-15


@dataclass(frozen=True)
class Draws:
    """One epoch's images per class (C,), in label order."""

    epoch: int  # from 1
    images: IntArray  # that the train split has
    drawn: IntArray
    expected: Vector  # on average over epochs
    batches_with: IntArray  # batches of this epoch that hold an image of the class
    batches: int
    batch_size: int


@dataclass(frozen=True)
class SamplerResult:
    """What an epoch drew, whether that is chance, and what the loss makes of it; per class (C,), in label order."""

    kind: ClassVar[str] = "sampler"

    labels: Labels
    draws: Draws
    ratio: Vector  # (C,) drawn / expected; NaN where none are expected
    chi_square: float  # over the classes that are expected; infinite when another one was drawn
    degrees: int  # of freedom
    p_value: float  # that chance alone strays as far; NaN with fewer than two classes
    effective_prior: Vector  # (C,) expected share x loss weight, sums to 1: the class shares that the loss sees

    @cached_property
    def findings(self) -> tuple[FindingJson, ...]:
        """A warning when sampler and loss weights both correct the imbalance: rare classes then outweigh the others."""
        likely = self.draws.expected > 0
        expected, prior = self.draws.expected[likely], self.effective_prior[likely]
        even = expected.size > 1 and bool(np.ptp(expected) <= 1e-6 * expected.max())
        if not even or prior.max() <= 1.01 * prior.min():
            return ()
        reason = (
            "imbalance is corrected twice: the sampler already draws every class equally often, and the loss weights "
            f"make one class count {prior.max() / prior.min():.1f} times as much as another"
        )
        return (finding("balance", reason),)

    @property
    def rarest(self) -> int | None:
        """The class with the fewest train images, of those that have any; the first of equal ones."""
        images = self.draws.images
        return int(np.where(images > 0, images, images.max() + 1).argmin()) if images.any() else None

    def to_result(self) -> dict[str, Any]:
        draws = self.draws
        return {
            "epoch": draws.epoch,
            "labels": list(self.labels.names),
            "images": draws.images.tolist(),
            "drawn": draws.drawn.tolist(),
            "expected": draws.expected.tolist(),
            "ratio": self.ratio.tolist(),
            "chi_square": self.chi_square,
            "degrees": self.degrees,
            "p_value": self.p_value,
            "effective_prior": self.effective_prior.tolist(),
            "batch_size": draws.batch_size,
            "batches": draws.batches,
            "batches_with": draws.batches_with.tolist(),
        }


def sampler_report(dataset: Dataset, optim: OptimSection, seed: int, epoch: int) -> Report:
    """What training on `dataset` draws in an epoch (from 1), without training."""
    labels, rows = dataset.labels, dataset.split("train")
    targets = targets_of(rows, labels)
    draws = epoch_draws(targets, len(labels), optim, seed, epoch)
    result = sampler_result(draws, labels, loss_weights(targets, len(labels), optim))
    return Report(result, data=dataset.ref("train"), findings=result.findings)


def epoch_draws(targets: IntArray, classes: int, optim: OptimSection, seed: int, epoch: int) -> Draws:
    """Counts of an epoch (from 1) over train images of classes `targets` (N,); a pure function of seed and epoch."""
    balanced = draws_evenly(optim)
    order = epoch_order(targets, seed, epoch - 1, balanced)[: epoch_length(len(targets), optim.images_per_batch)]
    return Draws(
        epoch=epoch,
        images=np.bincount(targets, minlength=classes).astype(np.int64),
        drawn=drawn_counts(order, targets, classes),
        expected=expected_counts(targets, classes, len(order), balanced),
        batches_with=batches_with(order, targets, classes, optim.images_per_batch),
        batches=math.ceil(len(order) / optim.images_per_batch),
        batch_size=optim.images_per_batch,
    )


def draws_evenly(optim: OptimSection) -> bool:
    """Whether the sampler balances the classes."""
    return optim.balance in ("sampler", "both")


def loss_weights(targets: IntArray, classes: int, optim: OptimSection) -> Vector | None:
    """(C,) weights of the classes in the training loss; None where it does not balance."""
    if optim.balance not in ("loss", "both"):
        return None
    return class_weights(np.bincount(targets, minlength=classes))


def sampler_result(draws: Draws, labels: Labels, weights: Vector | None = None) -> SamplerResult:
    """The draws held against what was expected; `weights` (C,) of the loss, None if unused."""
    drawn, expected = draws.drawn, draws.expected
    likely = expected > 0
    degrees = max(0, int(likely.sum()) - 1)
    statistic = float(((drawn - expected)[likely] ** 2 / expected[likely]).sum())
    if drawn[~likely].any():
        statistic = math.inf
    weighed = expected if weights is None else expected * weights
    total = weighed.sum()
    return SamplerResult(
        labels=labels,
        draws=draws,
        ratio=np.divide(drawn, expected, out=np.full(len(expected), NAN), where=likely),
        chi_square=statistic,
        degrees=degrees,
        p_value=chi_square_tail(statistic, degrees) if degrees else NAN,
        effective_prior=np.asarray(weighed / total if total else np.full(len(expected), NAN)),
    )


def chi_square_tail(statistic: float, degrees: int) -> float:
    """The chance that a chi-square variable with `degrees` > 0 of freedom exceeds `statistic` >= 0."""
    shape, x = degrees / 2, statistic / 2
    if x == 0:
        return 1.0
    if math.isinf(x):
        return 0.0
    front = math.exp(shape * math.log(x) - x - math.lgamma(shape))
    return 1 - front * _series(shape, x) if x < shape + 1 else front * _fraction(shape, x)


def _series(shape: float, x: float) -> float:
    """The lower incomplete gamma function over x^shape e^-x, for x below shape + 1."""
    term = total = 1 / shape
    while term > total * _PRECISION:
        shape += 1
        term *= x / shape
        total += term
    return total


def _fraction(shape: float, x: float) -> float:
    """The upper one, for x above shape + 1: Lentz's evaluation of its continued fraction."""
    b = x + 1 - shape
    c, d = math.inf, 1 / b
    value, change, n = d, 0.0, 0
    while abs(change - 1) > _PRECISION and n < 100_000:
        n += 1
        a = n * (shape - n)
        b += 2
        d = 1 / (a * d + b)
        c = b + a / c
        change = c * d
        value *= change
    return value
