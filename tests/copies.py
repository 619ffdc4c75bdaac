"""Images that are copies of each other, exactly and nearly, for tests of what must not be parted."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image


def draw_texture(path: Path, seed: int, side: int = 48) -> Path:
    """Coloured blots that no other seed gives."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC).save(path)
    return path


def near_copy(source: Path, target: Path, side: int | None = None) -> Path:
    """The same picture as other bytes: JPEG, and of another size if asked."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as image:
        (image.resize((side, side)) if side else image).save(target, "JPEG", quality=85)
    return target


def copy(source: Path, target: Path) -> Path:
    """The same bytes again."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return target
