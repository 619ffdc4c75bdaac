"""What the sampler drew in an epoch against what it should draw, and what the loss then makes of it."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from clf_cli.data.samples import Finding
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import IntArray

Vector = npt.NDArray[np.float64]
NAN = float("nan")
_PRECISION = 1e-15


@dataclass(frozen=True)
class SamplerResult:
    """One epoch's images per class, in label order."""

    kind: ClassVar[str] = "sampler"

    labels: Labels
    epoch: int  # from 1
    drawn: IntArray  # (C,) images
    expected: Vector  # (C,) images, on average over epochs
    ratio: Vector  # (C,) drawn / expected; NaN where none are expected
    chi_square: float  # over the classes that are expected; infinite when another one was drawn
    degrees: int  # of freedom
    p_value: float  # that chance alone strays as far; NaN with fewer than two classes
    effective_prior: Vector  # (C,) expected share x loss weight, sums to 1: the class shares that the loss sees

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """A warning when sampler and loss weights both correct the imbalance: rare classes then outweigh the others."""
        expected = self.expected[self.expected > 0]
        prior = self.effective_prior[self.expected > 0]
        even = expected.size > 1 and bool(np.ptp(expected) <= 1e-6 * expected.max())
        if not even or prior.max() <= 1.01 * prior.min():
            return ()
        reason = (
            "imbalance is corrected twice: the sampler already draws every class equally often, and the loss weights "
            f"make one class count {prior.max() / prior.min():.1f} times as much as another"
        )
        return (Finding("balance", "warning", "", reason),)

    def to_result(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "labels": list(self.labels.names),
            "drawn": self.drawn.tolist(),
            "expected": self.expected.tolist(),
            "ratio": self.ratio.tolist(),
            "chi_square": self.chi_square,
            "degrees": self.degrees,
            "p_value": self.p_value,
            "effective_prior": self.effective_prior.tolist(),
        }


def sampler_report(
    drawn: IntArray, expected: Vector, labels: Labels, epoch: int, loss_weights: Vector | None = None
) -> SamplerResult:
    """`drawn` and `expected` images per class (C,) of one epoch (from 1); `loss_weights` (C,), None if unused."""
    likely = expected > 0
    ratio = np.divide(drawn, expected, out=np.full(len(expected), NAN), where=likely)
    degrees = max(0, int(likely.sum()) - 1)
    statistic = float(((drawn - expected)[likely] ** 2 / expected[likely]).sum())
    if drawn[~likely].any():
        statistic = math.inf
    weighed = expected if loss_weights is None else expected * loss_weights
    total = weighed.sum()
    return SamplerResult(
        labels=labels,
        epoch=epoch,
        drawn=drawn.astype(np.int64),
        expected=expected.astype(np.float64),
        ratio=ratio,
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
