"""Whether images that may be nearly the same are: told from their pixels, at two sizes.

The numbers were chosen by looking at the pairs that they let through: of basketball-jersey (frames of a film, copies
with noise), of grocery-coarse, and of Fashion-MNIST, 70,000 small silhouettes on black, where thousands of different
images correlate above 0.95. Numbers in one font that differ in a digit stay below it.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

from clf_cli.data.near_pairs import Pairs
from clf_cli.data.pixels import SIDE, on_grid

CELLS = 8  # a side: what differs in one cell, of a 64th of the image, is not lost in the whole
SIMILAR = 0.9  # correlation of the cells
CROWD = 5  # images that have more similar ones than this look alike by nature: for them only STRICT holds
CLOSE = (0.95, 0.45)  # least correlation of the pixels, most difference of a cell in standard deviations of the image
STRICT = (0.985, 0.2)
_MAY_BE_CLOSE = 0.96  # of the cells; no pair of a correlation above 0.95 was below 0.965
_GRID = 8 * SIDE
_PAIRS = 128  # whose cells are compared at once
_BATCH = 16  # thumbnails; larger arrays cost three times as much, for they are mapped and unmapped

Thumbnails = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


def small(image: Image.Image) -> Thumbnails:
    """(SIDE, SIDE, 3) of an RGB image; its aspect ratio is lost."""
    return np.asarray(on_grid(image, _GRID).resize((SIDE, SIDE), Image.Resampling.BOX))


def measure(thumbnails: Thumbnails, pairs: Pairs) -> Floats:
    """(P, 3) of pairs (P, 2) of thumbnails (N, SIDE, SIDE, 3): correlation of the cells, then of the pixels, and the
    largest difference of a cell; each decides which pairs the next is worth, and is 0 or infinite elsewhere.

    Brightness and contrast are taken out, the brightness of each channel apart. Correlations of flat images are 0.
    """
    cells, lengths = _cells(thumbnails)
    found = np.zeros((len(pairs), 3), np.float32)
    found[:, 2] = np.inf
    for start in range(0, len(pairs), _PAIRS):
        one, other = pairs[start : start + _PAIRS].T
        product = np.einsum("np,np->n", cells[one], cells[other])
        found[start : start + _PAIRS, 0] = product / np.maximum(lengths[one] * lengths[other], 1e-6)
    closer = np.flatnonzero(found[:, 0] >= _MAY_BE_CLOSE)
    for start in range(0, len(closer), _PAIRS):
        batch = closer[start : start + _PAIRS]
        one, other = pairs[batch].T
        difference = (cells[one] - cells[other]).reshape(-1, CELLS * CELLS, 3)
        found[batch, 2] = np.sqrt(np.einsum("npc,npc->np", difference, difference).max(axis=1) / 3)
    closest = closer[found[closer, 2] <= CLOSE[1]]
    for start in range(0, len(closest), _BATCH):
        batch = closest[start : start + _BATCH]
        one, other = (_scaled(thumbnails[side]) for side in pairs[batch].T)
        found[batch, 1] = np.einsum("npc,npc->n", one, other) / one[0].size
    return found


def near(count: int, pairs: Pairs, measured: Floats) -> npt.NDArray[np.bool_]:
    """(P,) which of all candidate pairs among `count` images are nearly the same, by what `measure` found of them."""
    similar = np.bincount(pairs[measured[:, 0] >= SIMILAR].ravel(), minlength=count)
    alone = (similar <= CROWD)[pairs].all(axis=1)
    close, strict = ((measured[:, 1] >= least) & (measured[:, 2] <= most) for least, most in (CLOSE, STRICT))
    return np.asarray((close & alone) | strict, dtype=np.bool_)


def _cells(thumbnails: Thumbnails) -> tuple[Floats, Floats]:
    """(N, CELLS * CELLS * 3) means of cells of `_scaled` thumbnails, and the length of each row."""
    step = SIDE // CELLS
    found = np.empty((len(thumbnails), CELLS * CELLS * 3), np.float32)
    for start in range(0, len(thumbnails), _BATCH):
        batch = _scaled(thumbnails[start : start + _BATCH]).reshape(-1, CELLS, step, CELLS, step, 3)
        found[start : start + _BATCH] = batch.mean(axis=(2, 4)).reshape(len(batch), -1)
    return found, np.linalg.norm(found, axis=1)


def _scaled(thumbnails: Thumbnails) -> Floats:
    """(N, SIDE * SIDE, 3), each channel about its mean, in standard deviations of the image."""
    values = thumbnails.reshape(-1, SIDE * SIDE, 3).astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    spread = np.sqrt(np.einsum("npc,npc->n", values, values) / values[0].size)
    return np.asarray(values / np.maximum(spread, 1e-3)[:, None, None], dtype=np.float32)
