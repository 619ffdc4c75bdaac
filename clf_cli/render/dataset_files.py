"""A data set's report as files: JSON, CSV and PNG under one name, and two more pictures."""

from itertools import chain
from pathlib import Path

import numpy as np

from clf_cli.engine.dataset import DatasetResult
from clf_cli.engine.dataset_examples import Examples
from clf_cli.engine.suspects import Suspects
from clf_cli.engine.thumbnails import Pixels, small_image
from clf_cli.files import write_parts
from clf_cli.render import dataset_bars, dataset_examples, size_counts, suspect_pictures
from clf_cli.render.csv import write_csv
from clf_cli.render.dataset import header, rows
from clf_cli.render.figures import save_figure
from clf_cli.render.text import label
from clf_cli.values.report import Report

SUSPECTS = 48  # pictures


def write_dataset(report: Report, examples: Examples, root: Path, stem: Path) -> tuple[Path, ...]:
    """Writes STEM.json, STEM.csv, STEM.png (bars), STEM-sizes.png, STEM-examples.png and, where labels are disputed,
    STEM-suspects.png; returns their paths.

    Each is whole or not there at all (RunError); `root` is the folder that the examples are relative to.
    """
    result = report.result
    assert isinstance(result, DatasetResult)
    suffixes = (".json", ".csv", ".png", "-sizes.png", "-examples.png")
    paths = tuple(stem.with_name(f"{stem.name}{suffix}") for suffix in suffixes)
    write_parts(paths[0], chain(report.json_parts(), ["\n"]))
    write_csv(paths[1], header(result), rows(result))
    save_figure(dataset_bars.figure(result, label(root.name)), paths[2])
    save_figure(size_counts.figure(result, label(root.name)), paths[3])
    save_figure(dataset_examples.figure(examples, lambda path: _pixels(root / path), label(root.name)), paths[4])
    if result.suspects is None or not result.suspects.images:
        return paths
    return (*paths, _write_suspects(result.suspects, root, stem.with_name(f"{stem.name}-suspects.png")))


def _write_suspects(found: Suspects, root: Path, path: Path) -> Path:
    """Without images that can no longer be read."""
    pixels = {image: _pixels(root / image.path, suspect_pictures.PIXELS) for image in found.images[:SUSPECTS]}
    there = {image: one for image, one in pixels.items() if one is not None}
    save_figure(suspect_pictures.figure(list(there), list(there.values()), label(root.name)), path)
    return path


def _pixels(path: Path, side: int = dataset_examples.PIXELS) -> Pixels | None:
    image = small_image(path, side)
    return None if image is None else np.asarray(image)
