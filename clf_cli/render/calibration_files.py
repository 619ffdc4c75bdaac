"""A calibration report as files: JSON and PNG under one name."""

from pathlib import Path

from clf_cli.engine.calibration import CalibrationResult
from clf_cli.files import write_json
from clf_cli.render.calibration import figure
from clf_cli.render.figures import save_figure
from clf_cli.values.report import Report


def write_calibration(report: Report, stem: Path, subject: str = "") -> tuple[Path, ...]:
    """Writes STEM.json and STEM.png, each whole or not at all (RunError), and returns their paths."""
    result = report.result
    assert isinstance(result, CalibrationResult)
    paths = tuple(stem.with_name(f"{stem.name}{suffix}") for suffix in (".json", ".png"))
    write_json(paths[0], report.to_json())
    save_figure(figure(result, subject), paths[1])
    return paths
