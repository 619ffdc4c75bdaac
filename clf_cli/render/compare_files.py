"""A comparison as files: the whole report, and the images with another answer for a spreadsheet."""

from pathlib import Path

from clf_cli.engine.compare import CompareResult
from clf_cli.files import write_json
from clf_cli.render.compare import HEADER, rows
from clf_cli.render.csv import write_csv
from clf_cli.values.report import Report


def write_compare(report: Report, stem: Path) -> tuple[Path, ...]:
    """Writes STEM.json and STEM.csv, each whole or not at all (RunError), and returns their paths."""
    result = report.result
    assert isinstance(result, CompareResult)
    paths = tuple(stem.with_name(f"{stem.name}{suffix}") for suffix in (".json", ".csv"))
    write_json(paths[0], report.to_json())
    write_csv(paths[1], HEADER, rows(result))
    return paths
