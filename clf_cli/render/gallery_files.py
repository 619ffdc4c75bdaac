"""A report on images as files: JSON and PNG under one name."""

from pathlib import Path

from matplotlib.figure import Figure

from clf_cli.files import write_json
from clf_cli.render.figures import save_figure
from clf_cli.values.report import Report


def write_gallery(report: Report, drawing: Figure, stem: Path) -> tuple[Path, ...]:
    """Writes STEM.json and STEM.png, each whole or not at all (RunError), and returns their paths."""
    paths = tuple(stem.with_name(f"{stem.name}{suffix}") for suffix in (".json", ".png"))
    write_json(paths[0], report.to_json())
    save_figure(drawing, paths[1])
    return paths
