"""The stages between an encoded image and an answer, and what is said of the one that is at fault."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from clf_cli.engine.onnx_consumer import Recipe
from clf_cli.values.predictions import FloatArray, ties

Stage = Literal[
    "decode", "color order", "resize kernel", "antialias", "resize mode", "normalisation", "weights", "graph",
    "simplifier", "precision", "label order", "softmax",
]  # fmt: skip
FIELDS: dict[Stage, tuple[str, ...]] = {  # of a Recipe; the other stages are none of its
    "decode": ("exif", "flatten", "background"),
    "color order": ("color",),
    "resize kernel": ("interpolation",),
    "antialias": ("antialias",),
    "resize mode": ("resize_mode", "crop_share", "bars"),
    "normalisation": ("divisor", "mean", "std"),
}


@dataclass(frozen=True)
class Distance:
    """How far answers (N, C) are from those that were expected, in the same order of labels.

    `agreement` is the share of equal classes outside ties of the expected ones, 1 where all are ties; `difference` the
    largest of any logit; `relative` that over max(1, max|expected|); `error` the root of the mean square over the
    spread of the expected logits: 1 is as far as a constant. Not finite is NaN.
    """

    agreement: float
    difference: float
    relative: float
    error: float


@dataclass(frozen=True)
class Fault:
    """A stage, what it is and what it should be, and how well the answers agree without and with the latter.

    Over `images` images: those that differ first, so that shares are lower than on the whole split. Differences are of
    logits, or of their logs where probabilities are answered; None where only labels are known.
    """

    stage: Stage
    found: str
    expected: str
    images: int
    agreement_without: float
    agreement_with: float
    difference_without: float | None
    difference_with: float | None

    def to_json(self) -> dict[str, Any]:
        return {
            "stage": self.stage,
            "found": self.found,
            "expected": self.expected,
            "images": self.images,
            "agreement": {"without": self.agreement_without, "with": self.agreement_with},
            "difference": {
                "without": _finite(self.difference_without),
                "with": _finite(self.difference_with),
            },
        }


def distance(expected: FloatArray, found: FloatArray) -> Distance:
    """Both (N, C), N >= 1."""
    kept = ~ties(expected)
    same = expected.argmax(axis=1) == found.argmax(axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        apart = expected.astype(np.float64) - found
        difference = float(np.abs(apart).max())
        spread = expected - expected.mean(axis=0, keepdims=True) if len(expected) > 1 else expected
        error = float(np.sqrt((apart**2).mean()) / max(1e-12, float(np.sqrt((spread.astype(np.float64) ** 2).mean()))))
    if not np.isfinite(difference):
        difference = error = float("nan")
    return Distance(
        agreement=float(same[kept].mean()) if kept.any() else 1.0,
        difference=difference,
        relative=difference / max(1.0, float(np.abs(expected).max())),
        error=error,
    )


def fault_of(stage: Stage, words: tuple[str, str], images: int, without: Distance, with_it: Distance) -> Fault:
    """`words`: found and expected."""
    numbers = (without.agreement, with_it.agreement, without.difference, with_it.difference)
    return Fault(stage, *words, images, *numbers)


def stages_between(found: Recipe, expected: Recipe) -> tuple[Stage, ...]:
    """The stages at which two recipes differ, in the order of the path; what plays no part in them is no difference."""
    found, expected = _relevant(found), _relevant(expected)
    if _turned_with_statistics(found, expected):
        found = replace(found, mean=expected.mean, std=expected.std)
    return tuple(
        stage
        for stage, fields in FIELDS.items()
        if any(getattr(found, field) != getattr(expected, field) for field in fields)
    )


def swapped(recipe: Recipe, other: Recipe, stage: Stage) -> Recipe:
    """`recipe` with one stage of `other`."""
    fields = FIELDS[stage]
    if stage == "color order" and _turned_with_statistics(recipe, other):
        fields = (*fields, "mean", "std")
    return replace(recipe, **{field: getattr(other, field) for field in fields})


def described(recipe: Recipe, other: Recipe, stage: Stage) -> str:
    """What `recipe` does at a stage, as far as `other` does otherwise."""
    recipe, other = _relevant(recipe), _relevant(other)
    fields = [field for field in FIELDS[stage] if getattr(recipe, field) != getattr(other, field)]
    return ", ".join(_WORDS[field](getattr(recipe, field)) for field in fields or FIELDS[stage])


def _turned_with_statistics(recipe: Recipe, other: Recipe) -> bool:
    """Whether the channels stand the other way round and each keeps its own mean and deviation."""
    mirrored = (recipe.mean, recipe.std) == (other.mean[::-1], other.std[::-1])
    return recipe.color != other.color and mirrored


def _relevant(recipe: Recipe) -> Recipe:
    """Bars count for letterbox alone, the crop share for the other modes alone."""
    letterbox, plain = recipe.resize_mode == "letterbox", Recipe(recipe.height, recipe.width)
    return replace(recipe, crop_share=1.0) if letterbox else replace(recipe, bars=plain.bars)


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)


_WORDS: dict[str, Callable[[Any], str]] = {
    "exif": lambda value: "EXIF orientation applied" if value else "EXIF orientation ignored",
    "flatten": lambda value: "transparency on the background" if value else "transparency dropped",
    "background": lambda value: f"transparency on ({_numbers(value)})",
    "color": str,
    "interpolation": str,
    "antialias": lambda value: "with antialias" if value else "without antialias",
    "resize_mode": str,
    "crop_share": lambda value: f"crop share {value:g}",
    "bars": lambda value: f"bars of ({_numbers(value)})",
    "divisor": lambda value: f"values / {value:g}",
    "mean": lambda value: f"mean {_numbers(value)}",
    "std": lambda value: f"std {_numbers(value)}",
}
