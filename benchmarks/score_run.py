"""Scores a run's ONNX file alone on val and test, beside what its checkpoint scored: the table of docs/results.md.

    uv run python benchmarks/score_run.py RUN [--out benchmarks/results/real_data.jsonl]

The ONNX file is opened without torch: its labels and preprocessing are those of its contract, the images are decoded
from their files. One JSON line is appended.
"""

import argparse
import csv
import json
import statistics
import sys
from pathlib import Path

from clf_cli.data.dataset import load_run_dataset
from clf_cli.engine.metrics import metrics
from clf_cli.engine.predict_split import predict_split
from clf_cli.models.classifier import open_classifier
from clf_cli.settings.load import read_settings
from clf_cli.values.run_dir import RunDir

NAMES = ("acc_top1", "acc_top5", "f1_macro", "loss")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/real_data.jsonl"))
    arguments = parser.parse_args()
    run = RunDir(arguments.run)
    classifier = open_classifier(run.onnx)
    dataset = load_run_dataset(run, read_settings(run.settings).data, classifier.labels)
    scores = {split: metrics(predict_split(classifier, dataset, split)).scalars for split in ("val", "test")}
    assert "torch" not in sys.modules
    stored = {
        split: json.loads(run.report(kind).read_text())["result"]
        for split, kind in (("val", "metrics"), ("test", "metrics-test"))
    }
    with run.timing.open(newline="") as file:
        timing = list(csv.DictReader(file))
    record = json.loads(run.run_json.read_text())
    line = {
        "run": run.root.name,
        "command": " ".join(Path(word).name if Path(word).is_absolute() else word for word in record["command"]),
        "epochs": len(timing),
        "best_epoch": record["best_epoch"],
        "threads": record["threads"],
        "seconds_per_epoch": round(statistics.median(float(row["seconds"]) for row in timing), 1),
        "peak_memory_mb": max(int(row["memory_mb"]) for row in timing),
        "checkpoint": {split: {name: round(stored[split][name], 6) for name in NAMES} for split in stored},
        "onnx": {split: {name: round(scores[split][name], 6) for name in NAMES} for split in scores},
    }
    text = json.dumps(line)
    with arguments.out.open("a") as file:
        file.write(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
