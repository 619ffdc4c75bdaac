"""The pixels that reports show: images as the network sees them, or small and whole."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from clf_cli.data.images import UnreadableImageError, open_image
from clf_cli.engine.stored_reports import contract_of, read_stored
from clf_cli.errors import DataError, ModelError
from clf_cli.values.preprocess import Preprocess, resize
from clf_cli.values.run_dir import RunDir

Pixels = npt.NDArray[np.uint8]  # (H, W, 3) RGB
QUALITY = 80  # of JPEG: a picture of 176 pixels takes about 7 kB


def thumbnails(root: Path, paths: Sequence[str], preprocess: Preprocess) -> list[Pixels]:
    """One for each path, which is relative to `root`. Raises DataError (exit 3) for a file that cannot be read."""
    return [resize(readable_image(root, path), preprocess) for path in paths]


def readable_image(root: Path, path: str) -> Image.Image:
    """The image, RGB and upright. Raises DataError (exit 3): the scan has read it, so it was changed since."""
    try:
        return open_image(root / path)
    except UnreadableImageError as error:
        raise DataError(f"Cannot read {path} in {root} any more: {error}.", "Restore it, then try again.") from error


def small_image(path: Path, side: int) -> Image.Image | None:
    """Upright, with `side` pixels on its longer side, or fewer where it is smaller; None where it cannot be read."""
    try:
        image = open_image(path)
    except UnreadableImageError:
        return None
    image.thumbnail((side, side), Image.Resampling.BICUBIC)
    return image


def small_jpeg(path: Path, side: int) -> bytes | None:
    """The same as the bytes of a JPEG file."""
    image = small_image(path, side)
    if image is None:
        return None
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def kept_preprocess(run: RunDir) -> Preprocess | None:
    """How the run's network sees an image, without opening it; None where its labels_mapping.json does not say."""
    try:
        contract = read_stored(run.labels_mapping, contract_of)
    except ModelError:
        return None
    return None if contract is None else contract.preprocess
