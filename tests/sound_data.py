"""Data sets in which nothing is to be found, for tests that spoil one thing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

ROWS = [
    (split, label, number) for split, count in (("train", 6), ("val", 2)) for label in "ab" for number in range(count)
]


def photo(seed: int, side: int = 192) -> Image.Image:
    """Discs of many sizes with sharp borders, 4 : 3; like no other seed's."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (side * 8 // 3, side * 2), tuple(rng.integers(0, 255, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for _ in range(200):
        left, top = rng.integers(0, side * 8 // 3), rng.integers(0, side * 2)
        size = float(np.exp(rng.uniform(np.log(6), np.log(side))))
        draw.ellipse((left, top, left + size, top + size), fill=tuple(rng.integers(0, 255, 3).tolist()))
    return image.resize((side * 4 // 3, side), Image.Resampling.LANCZOS)


def sound_folders(root: Path) -> Path:
    """DIR/{train,val}/{a,b}/N.png, six images of each class to train on and two to validate."""
    for seed, (split, label, number) in enumerate(ROWS):
        path = root / split / label / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        photo(seed, 72).save(path)
    return root


def sound_manifest(root: Path) -> Path:
    """The same images in one folder, and a manifest of them."""
    (root / "images").mkdir(parents=True)
    rows = []
    for seed, (split, label, _) in enumerate(ROWS):
        photo(seed, 72).save(root / "images" / f"{seed:02d}.png")
        rows.append({"image": f"images/{seed:02d}.png", "label": label, "split": split})
    return write_rows(root / "all.jsonl", rows)


def read_rows(manifest: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]


def write_rows(manifest: Path, rows: list[dict[str, Any]]) -> Path:
    manifest.write_text("".join(f"{line}\n" for line in _lines(rows)), encoding="utf-8")
    return manifest


def _lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    return (json.dumps(row) for row in rows)
