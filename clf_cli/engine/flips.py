"""Images that two models call different names."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from clf_cli.engine.samples import SampledPrediction, choose_samples, sampled
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import IntArray, Predictions, ties
from clf_cli.values.report import ModelRef

RIGHT = Labels(("model", "other", "neither"))


@dataclass(frozen=True)
class Flip:
    """One image with both answers; `tie`: one of the models was undecided (values.predictions.ties)."""

    model: SampledPrediction
    other: SampledPrediction
    tie: bool

    def to_json(self) -> dict[str, Any]:
        theirs = {f"other_{key}": value for key, value in asdict(self.other).items() if key not in ("path", "true")}
        return {**asdict(self.model), **theirs, "tie": self.tie}


@dataclass(frozen=True)
class FlipsResult:
    """`flips` are at most as many as were asked for; the counts are of all."""

    kind: ClassVar[str] = "flips"

    other_name: str  # as the user called it
    other: ModelRef
    images: int
    only_model_right: int
    only_other_right: int
    neither_right: int  # and yet different answers
    ties: int
    flips: tuple[Flip, ...]  # only the model right, then only the other one, then neither; in these class by class

    @property
    def total(self) -> int:
        return self.only_model_right + self.only_other_right + self.neither_right

    def to_result(self) -> dict[str, Any]:
        return {
            "other": {"name": self.other_name, **asdict(self.other)},
            "images": self.images,
            "flips": self.total,
            "only_model_right": self.only_model_right,
            "only_other_right": self.only_other_right,
            "neither_right": self.neither_right,
            "ties": self.ties,
            "samples": [flip.to_json() for flip in self.flips],
        }


def flips(
    model: Predictions, other: Predictions, named: tuple[str, ModelRef], count: int = 16, seed: int = 0
) -> FlipsResult:
    """Both of the same images in one order; classes are matched by name, the class lists may differ.

    Of more than `count` flips about as many are shown of each kind of who is right, picked by `choose_samples`. `named`
    is the other model's name and reference.
    """
    changed = flipped(model, other)
    right = np.where(model.correct, 0, np.where(other.correct, 1, 2)).astype(np.int64)[changed]
    tied = ties(model.logits) | ties(other.logits)
    paths = tuple(model.paths[position] for position in changed.tolist())
    chosen = choose_samples(paths, right, RIGHT, count, seed)
    shown = changed[chosen[np.lexsort((model.targets[changed[chosen]], right[chosen]))]]
    only_model, only_other, neither = np.bincount(right, minlength=3).tolist()
    return FlipsResult(
        other_name=named[0],
        other=named[1],
        images=len(model),
        only_model_right=only_model,
        only_other_right=only_other,
        neither_right=neither,
        ties=int(tied[changed].sum()),
        flips=tuple(Flip(sampled(model, i), sampled(other, i), bool(tied[i])) for i in shown.tolist()),
    )


def flipped(model: Predictions, other: Predictions) -> IntArray:
    """Positions of the images whose predicted classes have different names, in order."""
    ours, theirs = (np.array(said.labels.names, dtype=object)[said.predicted] for said in (model, other))
    return np.flatnonzero(ours != theirs)
