"""95 % intervals: Wilson's for proportions, a bootstrap over images for everything else."""

from collections.abc import Callable, Mapping
from math import isfinite

import numpy as np
import numpy.typing as npt

from clf_cli.values.predictions import IntArray

RESAMPLES = 1000
SEED = 0  # of the bootstrap, so that training and commands draw the same images
_Z = 1.959963984540054  # 97.5 % of the normal distribution lie below
_ENDS = (0.025, 0.975)
_BLOCK = 2**18  # weights at once: they stay in the processor's cache

Vector = npt.NDArray[np.float64]
Interval = tuple[float, float]
UNDEFINED: Interval = (float("nan"), float("nan"))

# (R, N) how often each of R resamples holds each of N images -> (R,) every score of each resample, by name
Scores = Callable[[IntArray], Mapping[str, Vector]]


def wilson(successes: npt.ArrayLike, trials: npt.ArrayLike) -> Vector:
    """(..., 2) low and high of successes / trials, which they hold between them; NaN without trials."""
    k, n = np.broadcast_arrays(np.asarray(successes, np.float64), np.asarray(trials, np.float64))
    n = np.where(n > 0, n, np.nan)
    share, z2 = k / n, _Z**2
    middle = (k + z2 / 2) / (n + z2)
    reach = _Z / (n + z2) * np.sqrt(k * (n - k) / n + z2 / 4)
    return np.stack([np.clip(middle - reach, 0, share), np.clip(middle + reach, share, 1)], axis=-1)


def wilson_of(hits: npt.NDArray[np.bool_]) -> Interval:
    """The interval of the mean of (N,) yes and no."""
    low, high = wilson(np.count_nonzero(hits), len(hits)).tolist()
    return low, high


def bootstrap(scores: Scores, images: int) -> dict[str, Interval]:
    """The interval of each score over images drawn with replacement; undefined for fewer than two images.

    The ends are percentiles of the resamples, with the estimate in their middle: resamples of a score that is biased
    on few images (calibration error, weighted precision) are biased once more, so their mean lies beside the
    estimate. The end towards which the estimate itself errs is moved by that bias again. Where a score is not biased,
    this is the plain percentile interval. In 250 simulated splits of 373 images in 42 classes, the truth was in 96 %
    of the intervals of weighted precision at a top-1 of 0.61, against 63 % of the plain ones (at 0.98: 83 and 78 %),
    and in 88 to 96 % of those of the other scores.

    All resamples of 373 images in 42 classes take 0.01 s, of 50,000 images in 1,000 classes 0.9 s.
    """
    estimates = scores(np.ones((1, images), np.int64))
    if images < 2:  # one image is every resample
        return dict.fromkeys(estimates, UNDEFINED)
    rng = np.random.default_rng(SEED)
    rows = max(1, _BLOCK // images)
    blocks = [scores(_weights(rng, min(rows, RESAMPLES - start), images)) for start in range(0, RESAMPLES, rows)]
    return {
        name: _ends(float(estimate[0]), np.concatenate([block[name] for block in blocks]))
        for name, estimate in estimates.items()
    }


def _weights(rng: np.random.Generator, resamples: int, images: int) -> IntArray:
    drawn = rng.integers(0, images, size=(resamples, images), dtype=np.int32)
    drawn += np.arange(resamples, dtype=np.int32)[:, None] * np.int32(images)
    return np.bincount(drawn.ravel(), minlength=resamples * images).reshape(resamples, images)


def _ends(estimate: float, values: Vector) -> Interval:
    if not isfinite(estimate) or not np.isfinite(values).all():
        return UNDEFINED
    bias = float(values.mean()) - estimate
    low, high = np.quantile(values, _ENDS) - bias
    low, high = float(low) - max(bias, 0.0), float(high) - min(bias, 0.0)
    return max(0.0, min(low, estimate)), max(high, estimate)
