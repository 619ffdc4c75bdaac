"""Counts of true against predicted classes; they add, so callbacks and commands share one function."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from clf_cli.engine.samples import choose_samples
from clf_cli.errors import ModelError, UsageError
from clf_cli.reading import read_json, require_inside
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import IntArray, Predictions
from clf_cli.values.report import DataRef, ModelRef, Report
from clf_cli.values.run_dir import RunDir
from clf_cli.values.typed import typed

MOST_CONFUSED = 20
EXAMPLES = 4  # images named for each of these pairs


@dataclass(frozen=True)
class ConfusedPair:
    """Images of class `true` that were taken for class `predicted` (both indices); `share` is of `true`'s images.

    `examples` are paths of at most EXAMPLES of them; none where only the counts are known.
    """

    true: int
    predicted: int
    count: int
    share: float
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConfusionResult:
    """How many images of each class were predicted as each class."""

    kind: ClassVar[str] = "confusion"

    labels: Labels
    counts: IntArray  # (C, C), rows true, columns predicted, in label order
    examples: Mapping[tuple[int, int], tuple[str, ...]] = field(default_factory=dict)  # of pairs (true, predicted)

    def __post_init__(self) -> None:
        if self.counts.shape != (len(self.labels), len(self.labels)):
            raise ValueError(f"counts of shape {self.counts.shape} for {len(self.labels)} classes")

    @cached_property
    def support(self) -> IntArray:
        """(C,) images of each class."""
        return np.asarray(self.counts.sum(axis=1), dtype=np.int64)

    @property
    def images(self) -> int:
        return int(self.counts.sum())

    @property
    def accuracy(self) -> float:
        """0 to 1; NaN without images."""
        return float(np.trace(self.counts) / self.images) if self.images else float("nan")

    @cached_property
    def shares(self) -> npt.NDArray[np.float64]:
        """(C, C) counts over their row's sum, the diagonal is the recall; rows of classes without images are NaN."""
        shares = np.full(self.counts.shape, np.nan)
        np.divide(self.counts, self.support[:, None], out=shares, where=self.support[:, None] > 0)
        return shares

    def most_confused(self, limit: int = MOST_CONFUSED) -> tuple[ConfusedPair, ...]:
        """The pairs with the most errors, then the largest share, then label order."""
        rows, columns = np.nonzero(self.counts)
        wrong = rows != columns
        rows, columns = rows[wrong], columns[wrong]
        counts, shares = self.counts[rows, columns], self.shares[rows, columns]
        order = np.lexsort((columns, rows, -shares, -counts))[:limit]
        pairs = [((int(rows[i]), int(columns[i])), int(counts[i]), float(shares[i])) for i in order.tolist()]
        return tuple(ConfusedPair(*pair, count, share, self.examples.get(pair, ())) for pair, count, share in pairs)

    def to_result(self) -> dict[str, Any]:
        names = self.labels.names
        return {
            "labels": list(names),
            "counts": self.counts.tolist(),
            "most_confused": [
                {
                    "true": names[pair.true],
                    "predicted": names[pair.predicted],
                    "count": pair.count,
                    "share": pair.share,
                    "examples": list(pair.examples),
                }
                for pair in self.most_confused()
            ],
        }

    @classmethod
    def from_result(cls, result: Mapping[str, Any]) -> "ConfusionResult":
        """The inverse of `to_result`. Raises KeyError, TypeError or ValueError for anything else.

        An earlier clf named no examples.
        """
        labels = Labels(tuple(result["labels"]))
        counts = np.array(result["counts"])
        if counts.dtype.kind != "i" or counts.min(initial=0) < 0:
            raise ValueError("counts are not whole numbers from 0")
        examples = {
            (labels.indices[pair["true"]], labels.indices[pair["predicted"]]): tuple(map(str, pair.get("examples", ())))
            for pair in result.get("most_confused", ())
        }
        for paths in examples.values():
            require_inside(paths)
        return cls(labels, counts.astype(np.int64), examples)


def count_confusions(targets: IntArray, predicted: IntArray, classes: int) -> IntArray:
    """(C, C) int64, rows true, columns predicted. The counts of batches add up to the counts of the whole."""
    for indices in (targets, predicted):
        if indices.size and (indices.min() < 0 or indices.max() >= classes):
            raise ValueError(f"class indices outside 0 to {classes - 1}")
    cells = targets.astype(np.int64) * classes + predicted
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes).astype(np.int64, copy=False)


def confusion(predictions: Predictions) -> ConfusionResult:
    """The confusion counts of a split, with images of the most confused pairs."""
    counts = count_confusions(predictions.targets, predictions.predicted, len(predictions.labels))
    result = ConfusionResult(predictions.labels, counts)
    pairs = [(pair.true, pair.predicted) for pair in result.most_confused()]
    return replace(result, examples={pair: _examples(predictions, pair) for pair in pairs})


def _examples(predictions: Predictions, pair: tuple[int, int]) -> tuple[str, ...]:
    """A few of the pair's images, by their paths alone: the same ones whoever computed the predictions."""
    taken = np.flatnonzero((predictions.targets == pair[0]) & (predictions.predicted == pair[1]))
    paths = tuple(dict.fromkeys(predictions.paths[position] for position in taken.tolist()))
    same = np.full(len(paths), pair[0], dtype=np.int64)
    return tuple(paths[i] for i in choose_samples(paths, same, predictions.labels, EXAMPLES, seed=0).tolist())


def stored_confusion(run: RunDir, epoch: int) -> Report:
    """The confusion counts that a run kept of an epoch, counted from 1.

    Raises UsageError (exit 2) for an epoch that it did not keep, ModelError (exit 4) when the file is no such report.
    """
    path = run.epoch(epoch) / "confusion.json"
    try:
        report = read_json(path)
        result = ConfusionResult.from_result(report["result"])
        return Report(result, typed(ModelRef(**report["model"])), typed(DataRef(**report["data"])))
    except FileNotFoundError:
        kept = sorted(int(file.parent.name) for file in path.parents[1].glob("[0-9]*/confusion.json"))
        epochs = (
            f"It has those of epochs {_ranges(kept)}." if kept else "It kept none (--no-confusion, or no val split)."
        )
        raise UsageError(f"{run.root} has no confusion matrix of epoch {epoch}.", epochs) from None
    except (OSError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ModelError(f"{path} is not a confusion report: {error}.", "Leave --epoch away to count anew.") from error


def stored_examples(report: Report) -> Path | None:
    """The folder that holds every example image of a stored report; None where some are gone, or were never named."""
    assert isinstance(report.result, ConfusionResult)
    pairs = report.result.most_confused()
    root = Path(report.data.path) if report.data else None
    if root is None or not all(pair.examples for pair in pairs):
        return None
    try:
        there = all((root / example).is_file() for pair in pairs for example in pair.examples)
    except (OSError, ValueError):  # a name that is too long, or holds a zero byte
        return None
    return root if there else None


def _ranges(numbers: list[int]) -> str:
    """`1 to 5, 7`, of sorted numbers."""
    starts = [number for number in numbers if number - 1 not in numbers]
    ends = [number for number in numbers if number + 1 not in numbers]
    return ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in zip(starts, ends, strict=True))
