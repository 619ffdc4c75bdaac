"""Copies of a trained run with other histories, states and settings, without its weights."""

import csv
import json
import os
import shutil
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from clf_cli.engine.history import read_metrics_csv
from clf_cli.values.run_dir import RunDir

Rows = list[dict[str, Any]]
WEIGHTS = shutil.ignore_patterns("*.ckpt", "*.onnx", "golden", "epochs", "*.png")


def edited(
    run: RunDir,
    root: Path,
    rows: Callable[[Rows], Sequence[dict[str, Any]]] | None = None,
    settings: dict[str, str] | None = None,
    **record: Any,
) -> RunDir:
    """A copy at `root`: metrics.csv as `rows` changes it, texts of settings.toml replaced, keys of run.json set."""
    copy = RunDir(root)
    shutil.copytree(run.root, root, ignore=WEIGHTS)
    text = copy.settings.read_text()
    for old, new in (settings or {}).items():
        assert old in text
        text = text.replace(old, new)
    copy.settings.write_text(text)
    copy.run_json.write_text(json.dumps(json.loads(copy.run_json.read_text()) | record))
    if rows is not None:
        write_metrics(copy, rows([dict(row) for row in read_metrics_csv(run.metrics)]))
    return copy


def write_metrics(run: RunDir, rows: Sequence[dict[str, Any]]) -> None:
    """metrics.csv with these rows; without any, there is none."""
    run.metrics.unlink()
    if rows:
        with run.metrics.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def longer(epochs: int) -> Callable[[Rows], Rows]:
    """As many epochs, each with the values of the first and an accuracy that grows."""
    return lambda rows: [
        rows[0] | {"epoch": epoch, "val/acc_top1": epoch / (epochs + 1), "val/loss": 1 / epoch, "lr": 1e-3 / epoch}
        for epoch in range(1, epochs + 1)
    ]


def silence(run: RunDir, since: datetime) -> None:
    """Every file of the run is as old as that."""
    for path in run.root.rglob("*"):
        os.utime(path, (since.timestamp(), since.timestamp()))
