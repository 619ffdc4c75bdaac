"""Whether two images that may be nearly the same are: told from their pixels."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from clf_cli.data.pixels import SIDE, on_grid

GRID = 8 * SIDE
LEAST_CORRELATION = 0.95  # of the colours of two thumbnails

Thumbnail = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]


def small(image: Image.Image) -> Thumbnail:
    """(SIDE, SIDE, 3) of an RGB image; its aspect ratio is lost."""
    return np.asarray(on_grid(image, GRID).resize((SIDE, SIDE), Image.Resampling.BOX))


def alike(one: Thumbnail, other: Thumbnail) -> Flags:
    """(N,) whether thumbnails (N, SIDE, SIDE, 3) show the same, brightness and contrast aside."""
    return correlation(one, other) >= LEAST_CORRELATION


def correlation(one: Thumbnail, other: Thumbnail) -> npt.NDArray[np.float32]:
    """(N,) of the colours of each pair, the channels centred one by one; 0 where one has no structure."""
    first, second = _centred(one), _centred(other)
    both = np.einsum("np,np->n", first, second)
    lengths = np.einsum("np,np->n", first, first) * np.einsum("np,np->n", second, second)
    return both / np.sqrt(np.maximum(lengths, np.float32(1e-6)))


def _centred(thumbnails: Thumbnail) -> npt.NDArray[np.float32]:
    values = thumbnails.reshape(-1, SIDE * SIDE, 3).astype(np.float32)
    return (values - values.mean(axis=1, keepdims=True)).reshape(len(values), -1)
