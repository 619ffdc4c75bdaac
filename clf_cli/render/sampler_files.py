"""A sampler report as files: JSON, CSV and PNG under one name."""

from pathlib import Path

from clf_cli.engine.sampler import SamplerResult
from clf_cli.files import write_json
from clf_cli.render.csv import write_csv
from clf_cli.render.figures import save_figure
from clf_cli.render.sampler import HEADER, figure, rows
from clf_cli.values.report import Report


def write_sampler(report: Report, stem: Path, subject: str = "") -> tuple[Path, ...]:
    """Writes STEM.json, STEM.csv and STEM.png, each whole or not at all (RunError), and returns their paths."""
    result = report.result
    assert isinstance(result, SamplerResult)
    paths = tuple(stem.with_name(f"{stem.name}{suffix}") for suffix in (".json", ".csv", ".png"))
    write_json(paths[0], report.to_json())
    write_csv(paths[1], HEADER, rows(result))
    save_figure(figure(result, subject), paths[2])
    return paths
