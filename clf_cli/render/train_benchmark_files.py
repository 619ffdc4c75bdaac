"""The speed of training as files: the whole report, and a row per number for a spreadsheet."""

from pathlib import Path

from clf_cli.files import write_json
from clf_cli.render.csv import write_csv
from clf_cli.render.train_benchmark import HEADER, rows
from clf_cli.training.train_benchmark import TrainBenchmarkResult
from clf_cli.values.report import Report


def write_train_benchmark(report: Report, stem: Path) -> tuple[Path, ...]:
    """Writes STEM.json and STEM.csv, each whole or not at all (RunError), and returns their paths."""
    result = report.result
    assert isinstance(result, TrainBenchmarkResult)
    paths = tuple(stem.with_name(f"{stem.name}{suffix}") for suffix in (".json", ".csv"))
    write_json(paths[0], report.to_json())
    write_csv(paths[1], HEADER, rows(result))
    return paths
