"""Two models on the same images: A is the baseline, B the candidate, and every difference is B less A."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import exp, lgamma, log
from typing import Any, ClassVar, Literal

import numpy as np

from clf_cli.engine.flips import flipped
from clf_cli.engine.metrics import MetricsResult, metrics
from clf_cli.errors import CheckFailedError
from clf_cli.settings.sections import CompareSection
from clf_cli.values.labels import shown
from clf_cli.values.predictions import Predictions, ties
from clf_cli.values.report import ModelRef

RESAMPLES = 10_000
ROUNDING = 1e-12  # a drop that equals its limit passes, however the fractions round
NAMED = 5  # classes in a message
SCORES = ("acc_top1", "loss", "f1_macro")


@dataclass(frozen=True)
class Contender:
    """One of the two models: `name` is what the user called it."""

    name: str
    model: ModelRef
    predictions: Predictions


@dataclass(frozen=True)
class Side:
    """What one model scored on the images."""

    name: str
    model: ModelRef
    metrics: MetricsResult

    def to_json(self) -> dict[str, Any]:
        scalars = self.metrics.scalars
        return {"name": self.name, "model": asdict(self.model), **{score: scalars[score] for score in SCORES}}


@dataclass(frozen=True)
class Outcomes:
    """Images by who was right; `both_wrong_differently` are among `both_wrong`."""

    both_right: int
    only_a_right: int
    only_b_right: int
    both_wrong: int
    both_wrong_differently: int


@dataclass(frozen=True)
class ClassChange:
    """Accuracies are NaN for a class without images."""

    label: str
    support: int
    right_a: int
    right_b: int

    @property
    def accuracy_a(self) -> float:
        return self.right_a / self.support if self.support else float("nan")

    @property
    def accuracy_b(self) -> float:
        return self.right_b / self.support if self.support else float("nan")

    @property
    def difference(self) -> float:
        return (self.right_b - self.right_a) / self.support if self.support else float("nan")

    @property
    def drop(self) -> float:
        return (self.right_a - self.right_b) / self.support if self.support else float("nan")


@dataclass(frozen=True)
class ChangedAnswer:
    """An image that the two call different names; `tie`: one of them was undecided (values.predictions.ties)."""

    path: str
    true: str
    a: str
    b: str
    right: Literal["a", "b"] | None
    tie: bool


@dataclass(frozen=True)
class Gate:
    """A drop from A to B against its limit; `classes` are those that fell too far."""

    name: str
    limit: float
    value: float
    passed: bool
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CompareResult:
    """`interval` holds the difference of the top-1 accuracies in 95 % of the resamples, `p` is McNemar's, exact."""

    kind: ClassVar[str] = "compare"

    a: Side
    b: Side
    outcomes: Outcomes
    difference: dict[str, float]  # of SCORES
    interval: tuple[float, float]
    p: float
    classes: tuple[ClassChange, ...]  # in A's label order
    flips: tuple[ChangedAnswer, ...]  # only A right, then only B right, then both wrong; each in the data's order
    identical: bool  # every logit of every image is equal
    only_in_a: tuple[str, ...]  # classes that B lacks
    only_in_b: tuple[str, ...]
    gates: tuple[Gate, ...]

    @property
    def tied(self) -> int:
        """Flips where one of the models was undecided."""
        return sum(flip.tie for flip in self.flips)

    def to_result(self) -> dict[str, Any]:
        return {
            "a": self.a.to_json(),
            "b": self.b.to_json(),
            "difference": self.difference,
            "intervals": {"acc_top1": list(self.interval)},
            "mcnemar_p": self.p,
            "outcomes": asdict(self.outcomes),
            "identical": self.identical,
            "only_in_a": list(self.only_in_a),
            "only_in_b": list(self.only_in_b),
            "per_class": [
                {
                    "class": change.label,
                    "support": change.support,
                    "accuracy_a": change.accuracy_a,
                    "accuracy_b": change.accuracy_b,
                    "difference": change.difference,
                }
                for change in self.classes
            ],
            "flips": [asdict(flip) for flip in self.flips],
            "tied_flips": self.tied,
            "gates": [asdict(gate) for gate in self.gates],
        }

    def raise_if_failed(self) -> None:
        """Raises CheckFailedError (exit 1) with every gate that B did not pass."""
        reasons = [_reason(gate) for gate in self.gates if not gate.passed]
        if reasons:
            message = f"{self.b.name} is worse than {self.a.name}: {'; '.join(reasons)}."
            raise CheckFailedError(message, "The report lists the images that only the baseline gets right.")


def compare(a: Contender, b: Contender, gates: CompareSection, seed: int) -> CompareResult:
    """Both of the same images in one order, at least one; the class lists may differ in order and extent."""
    ours, theirs = a.predictions, b.predictions
    sides = Side(a.name, a.model, metrics(ours)), Side(b.name, b.model, metrics(theirs))
    scores = [side.metrics.scalars for side in sides]
    flips = _flips(ours, theirs)
    worse, better = int((ours.correct & ~theirs.correct).sum()), int((~ours.correct & theirs.correct).sum())
    both = int((ours.correct & theirs.correct).sum())
    differently = sum(flip.right is None for flip in flips)
    classes = _class_changes(ours, theirs)
    return CompareResult(
        a=sides[0],
        b=sides[1],
        outcomes=Outcomes(both, worse, better, len(ours) - both - worse - better, differently),
        difference={
            "acc_top1": (better - worse) / len(ours),
            **{name: scores[1][name] - scores[0][name] for name in SCORES[1:]},
        },
        interval=accuracy_interval(worse, better, len(ours), seed),
        p=mcnemar_p(worse, better),
        classes=classes,
        flips=flips,
        identical=_identical(ours, theirs),
        only_in_a=tuple(name for name in ours.labels if name not in theirs.labels),
        only_in_b=tuple(name for name in theirs.labels if name not in ours.labels),
        gates=_gates((worse - better) / len(ours), classes, gates),
    )


def mcnemar_p(worse: int, better: int) -> float:
    """How likely a split of the discordant images as uneven as this or more is, if neither model were better.

    The exact two-sided binomial test with one half: twice the smaller tail, at most 1.
    """
    images, fewer = worse + better, min(worse, better)
    largest = lgamma(images + 1) - lgamma(fewer + 1) - lgamma(images - fewer + 1) - images * log(2)
    # each term of the tail from the one before: C(n, k - 1) / C(n, k) = k / (n - k + 1)
    ratios = np.arange(fewer, 0, -1) / np.arange(images - fewer + 1, images + 1)
    return min(1.0, 2 * exp(largest) * (1 + float(np.cumprod(ratios).sum())))


def accuracy_interval(worse: int, better: int, images: int, seed: int) -> tuple[float, float]:
    """95 % percentile interval of accuracy B less accuracy A over resamples of the images, in pairs.

    An image counts -1, 0 or 1, so a resample of the images is a draw of these three counts: a multinomial one.
    """
    shares = [worse / images, better / images, (images - worse - better) / images]
    draws = np.random.default_rng(seed).multinomial(images, shares, size=RESAMPLES)
    low, high = np.quantile((draws[:, 1] - draws[:, 0]) / images, (0.025, 0.975))
    return float(low), float(high)


def _flips(a: Predictions, b: Predictions) -> tuple[ChangedAnswer, ...]:
    names, others = a.labels.names, b.labels.names
    tied = ties(a.logits) | ties(b.logits)
    flips = [
        ChangedAnswer(
            path=a.paths[i],
            true=names[a.targets[i]],
            a=names[a.predicted[i]],
            b=others[b.predicted[i]],
            right="a" if a.correct[i] else "b" if b.correct[i] else None,
            tie=bool(tied[i]),
        )
        for i in flipped(a, b).tolist()
    ]
    return tuple(sorted(flips, key=lambda flip: ("a", "b", None).index(flip.right)))


def _class_changes(a: Predictions, b: Predictions) -> tuple[ClassChange, ...]:
    classes = len(a.labels)
    support, right_a, right_b = (
        np.bincount(a.targets[chosen], minlength=classes).tolist()
        for chosen in (np.ones(len(a), dtype=np.bool_), a.correct, b.correct)
    )
    return tuple(ClassChange(*row) for row in zip(a.labels, support, right_a, right_b, strict=True))


def _identical(a: Predictions, b: Predictions) -> bool:
    if set(a.labels) != set(b.labels):
        return False
    return bool(np.array_equal(a.logits, b.logits[:, [b.labels.indices[name] for name in a.labels]]))


def _gates(drop: float, classes: Sequence[ClassChange], limits: CompareSection) -> tuple[Gate, ...]:
    found = []
    limit = limits.max_accuracy_drop
    if limit is not None:
        found.append(Gate("max_accuracy_drop", limit, drop, drop <= limit + ROUNDING))
    limit = limits.per_class_max_accuracy_drop
    if limit is not None:
        fallen = [change for change in classes if change.drop > limit + ROUNDING]  # not where it is NaN
        most = max(change.drop for change in classes if change.support)
        names = tuple(change.label for change in sorted(fallen, key=lambda change: change.difference))
        found.append(Gate("per_class_max_accuracy_drop", limit, most, not fallen, names))
    return tuple(found)


def _reason(gate: Gate) -> str:
    limit = f"more than {gate.limit:g}"
    if not gate.classes:
        return f"top-1 accuracy falls by {gate.value:.4g}, {limit}"
    names = ", ".join(f'"{shown(name)}"' for name in gate.classes[:NAMED])
    more = f" and {len(gate.classes) - NAMED} more" if len(gate.classes) > NAMED else ""
    return f"accuracy on {names}{more} falls by up to {gate.value:.4g}, {limit}"
