"""A confusion report as files: JSON, CSV and PNG under one name, and a second picture of the most confused pairs."""

from collections.abc import Callable, Sequence
from pathlib import Path

from clf_cli.engine.confusion import ConfusionResult
from clf_cli.engine.thumbnails import Pixels
from clf_cli.files import write_json
from clf_cli.render import confused_pairs
from clf_cli.render.confusion import figure
from clf_cli.render.confusion_rows import header, rows
from clf_cli.render.csv import write_csv
from clf_cli.render.figures import save_figure
from clf_cli.values.report import Report

Thumbnails = Callable[[Sequence[str]], list[Pixels]]  # paths to images as the network saw them


def write_confusion(report: Report, stem: Path, normalize: bool = True, subject: str = "") -> tuple[Path, ...]:
    """Writes STEM.json, STEM.csv and STEM.png, each whole or not at all (RunError), and returns their paths."""
    result = report.result
    assert isinstance(result, ConfusionResult)
    paths = tuple(stem.with_name(f"{stem.name}{suffix}") for suffix in (".json", ".csv", ".png"))
    write_json(paths[0], report.to_json())
    write_csv(paths[1], header(result), rows(result))
    save_figure(figure(result, normalize, subject), paths[2])
    return paths


def write_pairs(report: Report, stem: Path, thumbnails: Thumbnails, subject: str = "") -> Path:
    """Writes STEM-pairs.png, whole or not at all (RunError), and returns its path."""
    result = report.result
    assert isinstance(result, ConfusionResult)
    path = stem.with_name(f"{stem.name}-pairs.png")
    examples = [example for pair in confused_pairs.drawn_pairs(result) for example in pair.examples]
    pixels = dict(zip(examples, thumbnails(examples), strict=True))
    save_figure(confused_pairs.figure(result, pixels, subject), path)
    return path
