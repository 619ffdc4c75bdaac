"""What the twelve callbacks cost: trainings with all of them on and all of them off, short and long, in turns.

    uv run python benchmarks/callback_cost.py [--data DIR] [--out benchmarks/results/callback_cost.jsonl] [--table]

resnet18 at 96 px with default settings, one math thread, on `clf synth` images or --data. Each round is a short and a
long run of each side; what they differ by is a cost per epoch, the rest one per run: so a round tells both, and the
share at 30 epochs, the default, by arithmetic. `on` has everything that `off` has not: average, export, confusion,
samples, history, statistics, bar, checkpoints, early stopping (which never stops here), and the page of the run; `on
without export` tells the export's own share, which is per run. CPU seconds are of the whole process tree. One JSON
line per round is appended; rounds that are there are skipped.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from machine import load, machine

OFF = (
    *("--no-ema", "--no-export", "--no-confusion", "--no-model-info", "--no-dataset-stats", "--no-history"),
    *("--no-sampler-stats", "--no-samples", "--no-progress", "--no-lr-log", "--no-early-stopping", "--no-checkpoints"),
    "--no-report",
)
SIDES = {"off": OFF, "on_without_export": ("--no-export", "--patience", "1000"), "on": ("--patience", "1000")}
USUAL = 30  # epochs
Seconds = tuple[float, float]  # of CPU, of the wall


def seconds_of(command: list[str], folder: Path) -> Seconds:
    """Of one process and its children."""
    environment = dict(os.environ) | {"OMP_NUM_THREADS": "1", "CLF_CACHE_DIR": str(folder / "cache")}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=folder, env=environment)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def train(data: Path, epochs: int, flags: tuple[str, ...], arguments: argparse.Namespace) -> Seconds:
    with tempfile.TemporaryDirectory() as name:
        command = [
            *(sys.executable, "-m", "clf_cli", "train", "--data", str(data), "--arch", arguments.arch),
            *("--no-pretrained", "--image-size", str(arguments.px), "--epochs", str(epochs), "--device", "cpu"),
            *("--precision", arguments.precision, "--workers", "0", "--out", name, "--warmup-epochs", "1", *flags),
        ]
        return seconds_of(command, data.parent)


def measure(data: Path, arguments: argparse.Namespace) -> dict[str, object]:
    """One round, the sides in turns at each length."""
    few, more = arguments.epochs
    taken = {
        (epochs, side): train(data, epochs, flags, arguments) for epochs in (few, more) for side, flags in SIDES.items()
    }
    found: dict[str, object] = {"epochs": [few, more]}
    for clock, unit in enumerate(("cpu_s", "wall_s")):
        per_epoch = {side: (taken[more, side][clock] - taken[few, side][clock]) / (more - few) for side in SIDES}
        per_run = {side: taken[few, side][clock] - few * per_epoch[side] for side in SIDES}
        usual = {side: per_run[side] + USUAL * per_epoch[side] for side in SIDES}
        found |= {f"{side}_{unit}": [round(taken[epochs, side][clock], 2) for epochs in (few, more)] for side in SIDES}
        found |= {
            f"per_epoch_{unit}": round(per_epoch["on"] - per_epoch["off"], 3),
            f"per_run_{unit}": round(per_run["on"] - per_run["off"], 2),
            f"share_{unit}": round(taken[more, "on"][clock] / taken[more, "off"][clock] - 1, 4),
            f"share_without_export_{unit}": round(
                taken[more, "on_without_export"][clock] / taken[more, "off"][clock] - 1, 4
            ),
            f"share_of_{USUAL}_epochs_{unit}": round(usual["on"] / usual["off"] - 1, 4),
        }
    return found


def table(lines: list[dict[str, object]]) -> str:
    """Medians over rounds."""
    keys = ("per_epoch_cpu_s", "per_run_cpu_s", "share_cpu_s", "share_without_export_cpu_s")
    names = (*keys, f"share_of_{USUAL}_epochs_cpu_s")
    told = [line for line in lines if names[-1] in line]
    return "\n".join(f"{name}: {median(float(str(line[name])) for line in told):.3f}" for name in names)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--images", type=int, default=1200, help="of the images that are drawn without --data")
    parser.add_argument("--arch", default="resnet18")
    parser.add_argument("--px", type=int, default=96)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--epochs", type=int, nargs=2, default=(2, 6))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/callback_cost.jsonl"))
    parser.add_argument("--table", action="store_true", help="print medians of the results that are there, and stop")
    arguments = parser.parse_args()
    lines = [json.loads(line) for line in arguments.out.read_text().splitlines()] if arguments.out.exists() else []
    if arguments.table:
        print(table(lines))
        return
    case = {"arch": arguments.arch, "px": arguments.px, "asked": arguments.precision}
    done = {line["round"] for line in lines if case.items() <= line.items()}
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "set" if arguments.data is None else arguments.data.absolute()
        if arguments.data is None:
            drawn = ("synth", "--out", str(data), "--images", str(arguments.images), "--quiet")
            subprocess.run([sys.executable, "-m", "clf_cli", *drawn], check=True, capture_output=True)
        for number in range(1, arguments.rounds + 1):
            if number not in done:
                head = case | {"round": number}
                line = json.dumps(head | measure(data, arguments) | {"load": load(), "machine": machine()})
                with arguments.out.open("a") as file:
                    file.write(line + "\n")
                print(line, flush=True)


if __name__ == "__main__":
    main()
