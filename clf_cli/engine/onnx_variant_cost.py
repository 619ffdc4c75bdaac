"""What a file in narrower arithmetic costs: its answers beside those of the float32 file on the same images."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from clf_cli.engine.onnx_parity import images_parity
from clf_cli.values.labels import shown
from clf_cli.values.onnx_gates import Gates
from clf_cli.values.precision import OnnxPrecision
from clf_cli.values.predictions import Predictions

_WORST = 3  # classes in a message


@dataclass(frozen=True)
class ClassLoss:
    """A class of which fewer images are answered right than before."""

    label: str
    images: int
    before: int
    after: int

    def __str__(self) -> str:
        return f"{shown(self.label)} ({self.before} to {self.after} of {self.images} right)"


@dataclass(frozen=True)
class Cost:
    """Of `images` of a split. `agreement` is the share of equal answers and `drop` the loss of accuracy, both where
    float32 was not undecided (values.predictions.ties); the accuracies are of all."""

    precision: OnnxPrecision
    split: str
    images: int
    agreement: float
    accuracy_fp32: float
    accuracy: float
    drop: float
    worst: tuple[ClassLoss, ...]

    def reasons(self, gates: Gates) -> tuple[str, ...]:
        """Clauses on the gates that it does not pass; a NaN passes none."""
        found = []
        if not self.agreement >= gates.min_agreement:
            found.append(f"{_percent(self.agreement)} of the answers are equal, not {_percent(gates.min_agreement)}")
        if not self.drop <= gates.max_accuracy_drop:
            points = f"{100 * gates.max_accuracy_drop:g} points"
            found.append(f"accuracy falls from {self._accuracies}, by more than {points}")
        return tuple(found)

    @property
    def line(self) -> str:
        """`int8 costs 0.4 points of val/acc_top1: 91.4 to 91.0 %, 98.7 % of answers equal (373 images).`"""
        points = 100 * (self.accuracy_fp32 - self.accuracy)
        verb = "costs" if points >= 0 else "gains"
        told = f"{self.precision} {verb} {abs(points):.1f} points of {self.split}/acc_top1: {self._accuracies}"
        return f"{told}, {_percent(self.agreement)} of answers equal ({self.images} images)."

    @property
    def _accuracies(self) -> str:
        return f"{100 * self.accuracy_fp32:.1f} to {100 * self.accuracy:.1f} %"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def cost_of(precision: OnnxPrecision, split: str, expected: Predictions, answers: Predictions) -> Cost:
    """`expected` are the float32 file's answers for the same images."""
    found = images_parity(expected, answers)
    return Cost(
        precision=precision,
        split=split,
        images=len(expected),
        agreement=found.parity.agreement if np.isfinite(answers.logits).all() else 0.0,
        accuracy_fp32=found.reference_accuracy,
        accuracy=found.onnx_accuracy,
        drop=found.accuracy_drop if np.isfinite(found.accuracy_drop) else 0.0,
        worst=_worst(expected, answers),
    )


def _worst(expected: Predictions, answers: Predictions) -> tuple[ClassLoss, ...]:
    """The classes that lose most, at most three."""
    classes = len(expected.labels)
    images = np.bincount(expected.targets, minlength=classes)
    before = np.bincount(expected.targets[expected.correct], minlength=classes)
    after = np.bincount(answers.targets[answers.correct], minlength=classes)
    order = np.argsort(after - before, kind="stable")[:_WORST]
    names = expected.labels.names
    return tuple(
        ClassLoss(names[one], int(images[one]), int(before[one]), int(after[one]))
        for one in order
        if after[one] < before[one]
    )


def _percent(share: float) -> str:
    """Rounded down: what does not pass does not look as if it did."""
    return f"{np.floor(share * 1000 + 1e-9) / 10:.1f} %"
