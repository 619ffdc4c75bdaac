"""Images whose label models that never saw them dispute with confidence: confident learning (Northcutt et al. 2021)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from clf_cli.data.checks import place
from clf_cli.data.dataset import Dataset
from clf_cli.data.samples import WHOLE, Finding
from clf_cli.engine.predict_split import predict_split
from clf_cli.errors import DataError, UsageError
from clf_cli.models.classifier import Classifier
from clf_cli.values.labels import Labels, shown
from clf_cli.values.predictions import IntArray
from clf_cli.values.progress import Progress, silent
from clf_cli.values.report import ModelRef

SHOWN = 8  # classes that a message names
Probabilities = npt.NDArray[np.float64]
FOLDS_HINT = "To judge all, train on the folds of clf split --folds, and name each of the models with --model."


@dataclass(frozen=True)
class Judge:
    """A model, and the paths of the data set that it was trained on; None where nothing tells."""

    classifier: Classifier
    trained_on: frozenset[str] | None


@dataclass(frozen=True)
class Suspect:
    """An image and the class that is confidently another; `score`, -1 to 1, is the label's probability less the
    largest of the others."""

    path: str
    label: str
    predicted: str
    probability: float  # of `predicted`, 0 to 1
    score: float
    split: str
    place: str  # where a person finds the label: manifest and line, or the image


@dataclass(frozen=True)
class Suspects:
    """Images whose label is disputed, the most surely disputed first."""

    models: tuple[tuple[ModelRef, int | None], ...]  # each with the images that it was trained on, None: not known
    judged: int  # rows that at least one model was not trained on
    not_judged: int
    images: tuple[Suspect, ...]

    @property
    def finding(self) -> Finding | None:
        """All of them as one finding, in their order."""
        if not self.images:
            return None
        first, *others = (image.place for image in self.images)
        images = "1 image" if not others else f"{len(self.images):,} images"
        worst = self.images[0]
        names = f'"{shown(worst.label)}", taken for "{shown(worst.predicted)}"'
        return Finding.of(
            "CLF901", first, f"{images} of {self.judged:,}; this one is labelled {names}", others=tuple(others)
        )

    def to_json(self) -> dict[str, Any]:
        keys = ("path", "label", "predicted", "probability", "score", "split")
        return {
            "models": [{**asdict(model), "trained_on": count} for model, count in self.models],
            "judged": self.judged,
            "not_judged": self.not_judged,
            "images": [{key: getattr(image, key) for key in keys} for image in self.images],
        }


def find_suspects(dataset: Dataset, judges: Sequence[Judge], workers: int = 1, progress: Progress = silent) -> Suspects:
    """Asks each model about the images that it was not trained on; of several answers the mean counts.

    Raises DataError (exit 3) for classes that a model lacks and where every image was trained on by every model,
    UsageError (exit 2) for models that know different classes.
    """
    labels = _common_labels(dataset, judges)
    rows = tuple({(row.path, row.label): row for row in dataset.samples if row.label in dataset.labels}.values())
    sums, answers = _answers(replace(dataset, samples=rows), judges, labels, workers, progress)
    judged = np.flatnonzero(answers)
    if not len(judged):
        raise DataError(f"Every image of {dataset.root} was trained on, so none can be judged.", FOLDS_HINT)
    means = sums[judged] / answers[judged, None]
    there = [rows[row] for row in judged]
    targets = np.array([labels.indices[row.label] for row in there], dtype=np.int64)
    order, classes, margins = disputed(means, targets)
    images = tuple(
        Suspect(
            path=there[row].path,
            label=there[row].label,
            predicted=labels.names[index],
            probability=float(means[row, index]),
            score=margin,
            split=there[row].split or "",
            place=place(there[row]),
        )
        for row, index, margin in zip(order.tolist(), classes.tolist(), margins.tolist(), strict=True)
    )
    models = tuple((judge.classifier.ref, _count(judge.trained_on)) for judge in judges)
    return Suspects(models, len(judged), len(rows) - len(judged), images)


def disputed(probabilities: Probabilities, targets: IntArray) -> tuple[IntArray, IntArray, Probabilities]:
    """Rows whose label is disputed, the class that each is confidently of, and the margin of its label, lowest first.

    A class is confident where its probability reaches the mean that it has over the images labelled so; of several
    the most probable counts. A row is disputed where that class is not its label, and its label is not the most
    probable one. `probabilities` (N, C) are of models that were not trained on the row, `targets` (N,) its label.
    """
    every = np.arange(len(targets))
    own = probabilities[every, targets]
    counts = np.bincount(targets, minlength=probabilities.shape[1])
    sums = np.bincount(targets, weights=own, minlength=probabilities.shape[1])
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    confident = np.where(probabilities >= thresholds, probabilities, -1.0)
    classes = confident.argmax(axis=1)
    others = probabilities.copy()
    others[every, targets] = -1.0
    margins = own - others.max(axis=1)
    rows = np.flatnonzero((confident.max(axis=1) >= 0) & (classes != targets) & (margins < 0))
    rows = rows[np.argsort(margins[rows], kind="stable")]
    return rows, classes[rows], margins[rows]


def _answers(
    dataset: Dataset, judges: Sequence[Judge], labels: Labels, workers: int, progress: Progress
) -> tuple[Probabilities, IntArray]:
    """(N, C) sums of the probabilities of each row over the models that were not trained on it, and (N,) how many."""
    rows = dataset.samples
    sums = np.zeros((len(rows), len(labels)))
    answers = np.zeros(len(rows), dtype=np.int64)
    for judge in judges:
        seen = judge.trained_on or frozenset()
        own = [index for index, row in enumerate(rows) if row.path not in seen]
        if own:
            asked = replace(dataset, samples=tuple(rows[index] for index in own))
            predictions = predict_split(judge.classifier, asked, WHOLE, workers, progress)
            columns = [predictions.labels.indices[name] for name in labels]
            sums[own] += predictions.probabilities[:, columns]
            answers[own] += 1
    return sums, answers


def _common_labels(dataset: Dataset, judges: Sequence[Judge]) -> Labels:
    first = judges[0].classifier
    for judge in judges:
        other = judge.classifier
        if differing := sorted(set(other.labels) ^ set(first.labels)):
            raise UsageError(
                f"{first.path} and {other.path} know different classes: {_named(differing)}.",
                "Name models of the same classes with --model.",
            )
    if unknown := sorted(set(dataset.labels) - set(first.labels)):
        these = "this class" if len(unknown) == 1 else "these classes"
        raise DataError(
            f"{first.path} does not know {these} of {dataset.root}: {_named(unknown)}.",
            "Name a model that was trained on these classes with --model.",
        )
    return first.labels


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(f'"{shown(name)}"' for name in names[:SHOWN]) + more


def _count(paths: frozenset[str] | None) -> int | None:
    return None if paths is None else len(paths)
