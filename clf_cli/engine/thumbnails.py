"""The pixels that reports show: images as the network sees them."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from clf_cli.data.images import UnreadableImageError, open_image
from clf_cli.errors import DataError
from clf_cli.values.contract import Contract
from clf_cli.values.preprocess import Preprocess, resize
from clf_cli.values.run_dir import RunDir

Pixels = npt.NDArray[np.uint8]  # (H, W, 3) RGB


def thumbnails(root: Path, paths: Sequence[str], preprocess: Preprocess) -> list[Pixels]:
    """One for each path, which is relative to `root`. Raises DataError (exit 3) for a file that cannot be read."""
    return [resize(readable_image(root, path), preprocess) for path in paths]


def readable_image(root: Path, path: str) -> Image.Image:
    """The image, RGB and upright. Raises DataError (exit 3): the scan has read it, so it was changed since."""
    try:
        return open_image(root / path)
    except UnreadableImageError as error:
        raise DataError(f"Cannot read {path} in {root} any more: {error}.", "Restore it, then try again.") from error


def kept_preprocess(run: RunDir) -> Preprocess | None:
    """How the run's network sees an image, without opening it; None where the run kept no labels_mapping.json."""
    try:
        return Contract.from_json(json.loads(run.labels_mapping.read_text(encoding="utf-8"))["contract"]).preprocess
    except (OSError, KeyError, TypeError, ValueError):
        return None
