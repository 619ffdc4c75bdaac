"""The random numbers of training images: a pure function of (seed, epoch, position), for a whole batch at once.

Philox is a counter: the block of a position is computed without those before it, so batches, worker processes, ranks
and resumptions see the same numbers. Its key is taken as it is, without hashing, so streams of different keys or
purposes never meet.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

COLUMNS = 40  # numbers of an image; each has its use whatever is on, so that a knob leaves the others' choices alone
RANDAUGMENT = slice(0, 8)
DEGRADE = slice(8, 12)
CROP = slice(12, 16)
WARP = slice(16, 25)
FLIP = 25
COLOR = slice(26, 29)
BLUR = slice(29, 32)
NOISE = slice(32, 34)
ERASE = slice(34, 39)

_ORDER, _IMAGE = 0, 1  # what a stream is for
_NUMBERS, _ARRAYS = 0, 1
_STEPS = COLUMNS // 4  # of Philox's counter, each four numbers


class Draw(NamedTuple):
    """One training image of one epoch; with the seed, epoch and position are the key of its random numbers."""

    image: int  # index in the train split
    epoch: int
    position: int  # in the epoch's order of all processes


def draw_numbers(seed: int, epoch: int, positions: npt.ArrayLike) -> FloatArray:
    """(B, COLUMNS) numbers from 0 to 1, of the draws at these positions. Seed and epoch are below 2**31."""
    places = np.asarray(positions, dtype=np.int64)
    starts = np.flatnonzero(np.diff(places, prepend=places[:1] - 2) != 1)
    runs = zip(starts.tolist(), np.diff(starts, append=len(places)).tolist(), strict=True)
    blocks = [
        _generator(seed, epoch, _NUMBERS, int(places[at]) * _STEPS).random((count, COLUMNS)) for at, count in runs
    ]
    return blocks[0] if len(blocks) == 1 else np.concatenate([np.empty((0, COLUMNS)), *blocks])


def draw_generator(seed: int, epoch: int, position: int) -> np.random.Generator:
    """For what a draw needs whole arrays of, such as noise."""
    return _generator(seed, epoch, _ARRAYS, position << 64)


def order_generator(seed: int, epoch: int) -> np.random.Generator:
    """For the order of an epoch."""
    return np.random.Generator(np.random.Philox(key=(seed << 32 | epoch << 1 | _ORDER, 0)))


def _generator(seed: int, epoch: int, kind: int, counter: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=(seed << 32 | epoch << 1 | _IMAGE, kind), counter=counter))


def signed(draws: FloatArray) -> FloatArray:
    """0..1 to -1..1."""
    return 2 * draws - 1
