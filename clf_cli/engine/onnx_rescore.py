"""Is the file the model that scored? It scores the images of that score again, beside torch where there is no score."""

import math
import shlex
from dataclasses import dataclass, replace
from typing import Any, Literal

from clf_cli.data.dataset import Dataset
from clf_cli.data.samples import printable
from clf_cli.engine.onnx_parity import images_parity
from clf_cli.engine.onnx_plan import ExportImages
from clf_cli.engine.onnx_score import slack, value_of
from clf_cli.engine.predict_split import predict_alike, predict_split
from clf_cli.errors import ExportError
from clf_cli.models.classifier import Classifier
from clf_cli.values.contract import Score
from clf_cli.values.predictions import Predictions, ties
from clf_cli.values.progress import Progress, silent

ScoredLike = Literal["stored score", "torch"]
_SHOWN = 5  # paths in a message
_NOTHING = "Nothing was published."


@dataclass(frozen=True)
class Rescored:
    """What a file answered for the images of a split, and the score that its contract may tell.

    `stored` is the checkpoint's score of these very images, where the exported weights earned one, and `expected` what
    torch said of them, where it is known: one of both is there. `value` is the file's own score.
    """

    answers: Predictions
    expected: Predictions | None
    metric: str  # val/acc_top1
    value: float | None
    stored: float | None
    score: Score | None

    @property
    def split(self) -> str:
        return self.metric.partition("/")[0]

    @property
    def compared_with(self) -> ScoredLike:
        return "torch" if self.stored is None else "stored score"

    @property
    def torch(self) -> float | None:
        """Its score, where it was asked or is remembered."""
        return None if self.expected is None else _defined(value_of(self.expected, self.metric))

    @property
    def wanted(self) -> float | None:
        """The score that the float32 file was held against."""
        return self.torch if self.stored is None else self.stored

    @property
    def ties(self) -> int:
        """Images that another program may decide otherwise."""
        return int(ties(self.answers.logits).sum())

    def to_json(self) -> dict[str, Any]:
        return {
            "metric": self.metric,
            "split": self.split,
            "value": self.value,
            "stored": self.stored,
            "torch": self.torch,
            "compared_with": self.compared_with,
            "images": len(self.answers),
            "ties": self.ties,
            "rescored": self.score is not None and self.score.rescored,
        }


def why_not(stored: Score | None, fingerprint: str | None, images: ExportImages) -> str | None:
    """Why these images cannot prove a score, as a sentence; None where they can.

    `stored` is the score that the weights earned, if any, on the data of `fingerprint`.
    """
    dataset = images.dataset
    if dataset is None:
        return images.missing or "There are no images."
    if dataset.fingerprint != fingerprint:
        return f"The images of {dataset.root} are not those that the checkpoint was validated on."
    if stored is None and images.split == "train":
        return f"{dataset.root} has neither val nor test images."
    return None


def rescore(
    onnx: Classifier, reference: Classifier, monitor: str, images: ExportImages, progress: Progress = silent
) -> Rescored | None:
    """`onnx` is a float32 file with the score that its weights earned, if any; `reference` is torch with them.

    Where they earned none on these images, torch scores them too, by `monitor`. None where there are no images. Raises
    ExportError (exit 5) when the file scores or decides otherwise, DataError (exit 3) when an image cannot be read.
    """
    dataset = images.dataset
    if dataset is None:
        return None
    own = dataset.fingerprint == onnx.data_fingerprint
    stored = onnx.score if own else None
    split = images.split if stored is None else stored.split
    value = None if stored is None else stored.value
    seen = images.seen if images.seen is not None and _is_of(images.seen, dataset, split) else None
    if seen is None and value is None:
        seen, answers = predict_alike((reference, onnx), dataset, split, images.workers, progress)
    else:
        answers = predict_split(onnx, dataset, split, images.workers, progress)
    kind = (monitor if onnx.score is None else onnx.score.metric).partition("/")[2]
    metric = f"{dataset.split_name(split)}/{kind}"
    found = Rescored(answers, seen, metric, _defined(value_of(answers, metric)), value, onnx.score)
    if seen is not None:
        _refuse_other_answers(reference, found, seen)
    if value is not None:
        _refuse_other_score(reference, found, dataset, images.workers)
    return replace(found, score=_score(found, stored, reference) if own else onnx.score)


def _is_of(seen: Predictions, dataset: Dataset, split: str) -> bool:
    return seen.paths == tuple(sample.path for sample in dataset.split(split))


def _score(found: Rescored, stored: Score | None, reference: Classifier) -> Score | None:
    """Of the run's own images: the stored score, else torch's; one of train images would flatter."""
    if stored is not None:
        return replace(stored, value=found.stored, rescored=True)
    if found.split == "train" or found.expected is None:
        return None
    return Score(found.metric, found.split, found.torch, reference.weights, rescored=True)


def _refuse_other_answers(reference: Classifier, found: Rescored, expected: Predictions) -> None:
    """Every decision like torch's, save ties; and the scores that follow from them."""
    flips = [flip for flip in images_parity(expected, found.answers).flips if not flip.tie]
    if flips:
        shown = "; ".join(
            f"{printable(flip.path)} (torch {flip.reference!r}, the file {flip.onnx!r})" for flip in flips[:_SHOWN]
        )
        raise ExportError(
            f"The ONNX file of {reference.path} decides {len(flips)} of {len(found.answers)} images otherwise than "
            f"torch: {shown}{' ...' if len(flips) > _SHOWN else ''}.",
            _NOTHING,
        )
    theirs, allowed = _defined(value_of(expected, found.metric)), slack(found.answers, found.metric)
    if not _alike(found.value, theirs, allowed):
        raise ExportError(
            f"The ONNX file of {reference.path} scores {found.metric} {_told(found.value)}, torch {_told(theirs)} with "
            "the same weights.",
            _NOTHING,
        )


def _refuse_other_score(reference: Classifier, found: Rescored, dataset: Dataset, workers: int) -> None:
    """As stored, save what ties explain. Where not, torch is asked which of both is wrong: file or checkpoint."""
    if _alike(found.value, found.stored, slack(found.answers, found.metric)):
        return
    expected = found.expected
    if expected is None:
        expected = predict_split(reference, dataset, found.split, workers)
        _refuse_other_answers(reference, found, expected)
    raise ExportError(
        f"{reference.path} says {found.metric} {_told(found.stored)}, but its weights score {_told(found.value)} on "
        f"these {len(found.answers)} images, in torch as in the ONNX file: the score or the weights are not its own.",
        f"{_NOTHING} To see for yourself: {shlex.join(['clf', 'evaluate', reference.path.as_posix()])}",
    )


def _alike(one: float | None, other: float | None, allowed: float) -> bool:
    return one is other if one is None or other is None else abs(one - other) <= allowed


def _defined(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _told(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.4f}"
