"""Accuracy of `clf train` of several checkouts of this repository, over seeds: whether a faster path learns as well.

    python benchmarks/accuracy.py --tree new=. --tree plain=OTHER_CHECKOUT --data DIR [--seeds 0 1 2] \\
        [--together 6] [--out benchmarks/results/accuracy.jsonl] -- --arch tf_efficientnet_lite0 --epochs 15 ...

What follows `--` are arguments of clf train. One JSON line per run is appended, with top-1 of val (of the best epoch)
and of test; runs that are there are skipped. `--table` prints the mean and spread of each tree.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from machine import machine


def run(tree: Path, data: Path, seed: int, more: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "clf_cli", "train", "--data", str(data.resolve()), "--seed", str(seed)]
        given = [*command, "--out", out, "--name", "run", "--no-export", *more]
        began = time.perf_counter()
        paths = os.pathsep.join([str(tree.resolve()), *filter(None, [os.environ.get("PYTHONPATH")])])
        done = subprocess.run(
            given, cwd=out, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False
        )
        wall = time.perf_counter() - began
        folder = Path(out) / "run"
        if done.returncode != 0:
            return {"failed": done.stderr[-600:]}
        with (folder / "metrics.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        return {
            "val": max(float(row["val/acc_top1"]) for row in rows),
            "test": tested(folder),
            "precision": json.loads((folder / "run.json").read_text()).get("precision"),
            "wall": round(wall, 1),
        }


def tested(folder: Path) -> float | None:
    """Top-1 of the test split, where the run has one."""
    test = json.loads((folder / "reports" / "train.json").read_text())["result"]["test"]
    return None if test is None else float(test["test/acc_top1"])


def table(lines: list[dict[str, Any]]) -> str:
    rows = [
        "| data | path | runs | val top-1, mean (range) | test top-1, mean (range) |",
        "| --- | --- | --- | --- | --- |",
    ]
    for data, tree in dict.fromkeys((line["data"], line["tree"]) for line in lines if "val" in line):
        found = [line for line in lines if (line["data"], line["tree"]) == (data, tree) and "val" in line]
        cells = [_cell([line[split] for line in found if line[split] is not None]) for split in ("val", "test")]
        rows.append(f"| {data} | {tree} | {len(found)} | {cells[0]} | {cells[1]} |")
    return "\n".join(rows)


def _cell(values: list[float]) -> str:
    if not values:
        return ""
    return f"{statistics.mean(values):.1%} ({min(values):.1%} to {max(values):.1%})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--together", type=int, default=1, help="runs at once")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/accuracy.jsonl"))
    parser.add_argument("--table", action="store_true")
    parser.add_argument("more", nargs="*")
    given = parser.parse_args()
    known = [json.loads(line) for line in given.out.read_text().splitlines()] if given.out.exists() else []
    if given.table:
        print(table(known))
        return
    cases = []
    for seed in given.seeds:
        for name, _, folder in (tree.partition("=") for tree in given.tree):
            key = {"data": given.data.name, "tree": name, "seed": seed, "arguments": " ".join(given.more)}
            if not any(key.items() <= line.items() and "val" in line for line in known):
                cases.append((key, Path(folder)))

    def work(case: tuple[dict[str, Any], Path]) -> None:
        key, folder = case
        line = json.dumps(key | run(folder, given.data, key["seed"], given.more) | {"machine": machine()})
        with given.out.open("a") as file:
            file.write(line + "\n")
        print(line, flush=True)

    with ThreadPoolExecutor(given.together) as pool:
        list(pool.map(work, cases))


if __name__ == "__main__":
    main()
