"""Which jersey numbers to draw, how many of each, and in which split: `clf synth` before anything is drawn."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from clf_cli.errors import DataError, UsageError
from clf_cli.settings.sections import SynthSection
from clf_cli.values.labels import Labels, shown

SPLITS = ("train", "val", "test")
SHARES = {"val": 0.15, "test": 0.15}  # the rest trains
LEAST = 4  # images of a class: two train, one validates, one tests
DRAWABLE = re.compile(r"[0-9]{0,3}")

Counts = Mapping[str, Mapping[str, int]]  # split -> label -> images


@dataclass(frozen=True)
class SynthPlan:
    """How many images of each class in each split; `left_out` are classes of the user's data that cannot be drawn."""

    counts: Counts
    stream: int  # sets of different streams share no image, whatever their seeds
    heights: tuple[int, ...] = ()  # pixel heights to choose from; empty: those of broadcast crops
    like: str | None = None
    left_out: tuple[str, ...] = ()

    @property
    def images(self) -> int:
        return sum(sum(split.values()) for split in self.counts.values())


@dataclass(frozen=True)
class SynthResult:
    """What was drawn, and where it lies."""

    plan: SynthPlan
    out: str  # posix
    seed: int

    kind: ClassVar[str] = "synth"

    @property
    def labels(self) -> Labels:
        return Labels.of(label for split in self.plan.counts.values() for label in split)

    def to_result(self) -> dict[str, Any]:
        """`counts` are per split in the order of `classes`; a class that a split lacks counts 0."""
        plan, labels = self.plan, self.labels
        return {
            "out": self.out,
            "seed": self.seed,
            "images": plan.images,
            "splits": {split: sum(counts.values()) for split, counts in plan.counts.items()},
            "classes": list(labels),
            "counts": {split: [counts.get(label, 0) for label in labels] for split, counts in plan.counts.items()},
            "like": plan.like,
            "left_out": list(plan.left_out),
        }


def plan_set(section: SynthSection, seed: int) -> SynthPlan:
    """A whole data set: class sizes fall geometrically from the largest to the smallest, in an order that `seed` draws.

    The classes are the empty string (if asked for), 0, 00 and others that `seed` draws from 1 to 99, then 01 to 09.
    Raises UsageError when there are too few numbers or images for so many classes.
    """
    labels = _classes(section, np.random.default_rng((seed, 1)))
    if section.images < LEAST * len(labels):
        raise UsageError(
            f"{section.images} images are too few for {len(labels)} classes: each needs {LEAST}, two of them to train.",
            f"Ask for at least --images {LEAST * len(labels)}, or for fewer --classes.",
        )
    totals = dict(zip(labels, _geometric(section.images, len(labels), section.imbalance), strict=True))
    held = {split: {label: max(1, round(share * totals[label])) for label in labels} for split, share in SHARES.items()}
    train = {label: totals[label] - sum(split[label] for split in held.values()) for label in labels}
    return SynthPlan({"train": train, **held}, stream=0)


def plan_like(section: SynthSection, train_counts: Mapping[str, int], heights: tuple[int, ...] = ()) -> SynthPlan:
    """For each class of `train_counts` with fewer than `below` images, as many as bring it to `target`; train only.

    Classes that are not one to three digits or the empty string are left out. Raises UsageError when `target` is under
    `below`, DataError when nothing is left to draw.
    """
    if section.target < section.below:
        raise UsageError(
            f"--target {section.target} is under --below {section.below}: a class may have more already.",
            f"Ask for --target {section.below} or more.",
        )
    rare = [label for label in Labels.of(train_counts) if train_counts[label] < section.below]
    if not rare:
        raise DataError(
            f"Every class of {section.like} has {section.below} train images or more: nothing to draw.",
            "Raise --below to count more classes as rare.",
        )
    drawn = {label: section.target - train_counts[label] for label in rare if DRAWABLE.fullmatch(label)}
    left_out = tuple(label for label in rare if label not in drawn)
    if not drawn:
        names = ", ".join(shown(label) for label in left_out[:5])
        raise DataError(
            f"None of the {len(left_out)} rare classes of {section.like} can be drawn: {names}.",
            "clf synth draws numbers of one to three digits, and the empty string.",
        )
    like = section.like.as_posix() if section.like else None
    return SynthPlan({"train": drawn}, stream=1, heights=heights, like=like, left_out=left_out)


def _classes(section: SynthSection, rng: np.random.Generator) -> list[str]:
    """The labels, in an order drawn by `rng`."""
    first = ["", "0", "00"] if section.empty else ["0", "00"]
    others = [str(number) for number in rng.permutation(np.arange(1, 100))] + [f"0{digit}" for digit in range(1, 10)]
    labels = (first + others)[: section.classes]
    if len(labels) < section.classes:
        raise UsageError(
            f"There are only {len(labels)} jersey numbers to draw, not {section.classes}.",
            f"Ask for at most --classes {len(labels)}.",
        )
    return [labels[index] for index in rng.permutation(len(labels))]


def _geometric(images: int, classes: int, imbalance: float) -> list[int]:
    """Class sizes that sum to `images`, the first about `imbalance` times the last, none under LEAST."""
    shares = imbalance ** -np.linspace(0, 1, classes)
    spare = images - LEAST * classes
    wanted = np.maximum(shares / shares.sum() * images - LEAST, 0)
    exact = wanted / max(wanted.sum(), 1e-12) * spare
    sizes = np.floor(exact).astype(int)
    sizes[np.argsort(sizes - exact, kind="stable")[: spare - int(sizes.sum())]] += 1
    return [int(size) + LEAST for size in sizes]
