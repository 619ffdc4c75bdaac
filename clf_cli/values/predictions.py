"""What a model said of some images: the one value that metrics, confusion, samples and reports are computed from."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from clf_cli.values.labels import Labels

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
Output = Literal["logits", "probabilities"]  # what a file answers with
TIE = 1e-4
LOG_FLOOR = 1e-30  # the least probability that answers of a file with a softmax inside are told apart by
EVAL_BATCH = 64  # images per forward pass wherever a score is computed, so that training and commands see equal batches
_BLOCK = 1024


@dataclass(frozen=True)
class Skipped:
    """A file that was left out, and why; it is in no denominator."""

    path: str
    reason: str


@dataclass(frozen=True)
class Predictions:
    """Logits of N images over C classes, in the order of the images."""

    paths: tuple[str, ...]  # (N,) relative to the data's root, posix
    targets: IntArray  # (N,) index of the true class in `labels`
    logits: FloatArray  # (N, C)
    labels: Labels
    skipped: tuple[Skipped, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    def at(self, rows: IntArray) -> "Predictions":
        """Those of the images at `rows` (n,), in that order; a row may stand there more than once."""
        paths = tuple(self.paths[row] for row in rows)
        return Predictions(paths, self.targets[rows], self.logits[rows], self.labels)

    @cached_property
    def predicted(self) -> IntArray:
        """(N,) index of the largest logit; the first of equal ones."""
        return np.asarray(self.logits.argmax(axis=1), dtype=np.int64)

    @cached_property
    def probabilities(self) -> npt.NDArray[np.float64]:
        """(N, C) softmax in float64; rows sum to 1."""
        return softmax(self.logits)

    @cached_property
    def correct(self) -> npt.NDArray[np.bool_]:
        """(N,)"""
        return np.asarray(self.predicted == self.targets)

    @cached_property
    def confidences(self) -> npt.NDArray[np.float64]:
        """(N,) softmax probability of the predicted class."""
        return np.asarray(np.exp(-self._log_sums))

    @cached_property
    def losses(self) -> npt.NDArray[np.float64]:
        """(N,) unweighted, unsmoothed cross-entropy in nats."""
        of_target = self.logits[np.arange(len(self)), self.targets].astype(np.float64)
        with np.errstate(invalid="ignore"):  # an infinite logit gives NaN, as it should
            return np.asarray(self._log_sums + self.logits.max(axis=1) - of_target)

    @cached_property
    def _log_sums(self) -> npt.NDArray[np.float64]:
        """(N,) log of the sum of exp(logit - largest logit), in float64; in blocks, so that memory stays small."""
        sums = np.empty(len(self), dtype=np.float64)
        with np.errstate(invalid="ignore"):
            for start in range(0, len(self), _BLOCK):
                block = self.logits[start : start + _BLOCK].astype(np.float64)
                block -= block.max(axis=1, keepdims=True)
                sums[start : start + _BLOCK] = np.exp(block, out=block).sum(axis=1)
        return np.asarray(np.log(sums))


def softmax(logits: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Over the last axis, in float64, safe for large logits."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted)
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


def log_probabilities(logits: npt.NDArray[np.floating]) -> FloatArray:
    """What logits become in a file that answers with probabilities: their log, not below log(LOG_FLOOR)."""
    return np.asarray(np.log(np.maximum(softmax(logits), LOG_FLOOR)), dtype=np.float32)


def ties(logits: npt.NDArray[np.floating], relative: float = TIE) -> npt.NDArray[np.bool_]:
    """(N,) whether the two best logits differ by less than relative x max(1, max|logit|): either may win elsewhere."""
    if logits.shape[-1] < 2:
        return np.zeros(logits.shape[0], dtype=np.bool_)
    best = np.partition(logits, -2, axis=-1)[:, -2:]
    scale = np.maximum(1.0, np.abs(logits).max(axis=-1))
    return np.asarray(best[:, 1] - best[:, 0] < relative * scale)
