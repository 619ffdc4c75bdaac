"""What the twelve callbacks cost: trainings with all of them on and all of them off, short and long, side by side.

    uv run python benchmarks/callback_cost.py [--sets usual small] [--rounds 1] [--data DIR] [--table]
    [--out benchmarks/results/callback_cost.jsonl]

resnet18 at 96 px with default settings, one math thread, on `clf synth` images or --data. `usual` has an epoch of half
a minute on one core, `small` one of a few seconds. A round is a short and a long run of each side; what they differ by
is a cost per epoch, the rest one per run: so a round tells both, and the share at 30 epochs, the default, by
arithmetic.
`on` has everything that `off` has not: average, export, confusion, samples, history, statistics, bar, checkpoints,
early stopping (which never stops here), the test, and the page of the run. Scores of a run from random weights get
better in nearly every epoch, which is the dear case: `better` counts them.

The two sides run at the same time, each on a core of its own, and change cores from round to round: what slows the
machine slows both. On one core they take turns. CPU seconds are of the whole process tree, seconds of the clock contain
the waiting for the disk. One JSON line per set and round is appended and those that are there are skipped, so the
script can be cut at any moment. A round takes five minutes (`usual`) and one (`small`) on a quiet machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median

from machine import load, machine

OFF = (
    *("--no-ema", "--no-export", "--no-confusion", "--no-model-info", "--no-dataset-stats", "--no-history"),
    *("--no-sampler-stats", "--no-samples", "--no-progress", "--no-lr-log", "--no-early-stopping", "--no-checkpoints"),
    "--no-report",
)
SIDES = {"off": OFF, "on": ("--patience", "1000")}
SETS = {"usual": 3300, "small": 300}  # images, seven in ten of them to train on
LENGTHS = {"usual": (2, 4), "small": (2, 6)}  # epochs; the first two write their checkpoints to memory that is new
USUAL = 30  # epochs
CLOCKS = ("cpu_s", "wall_s")


def cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]


def side_by_side(commands: dict[str, list[str]], folder: Path, swapped: bool) -> dict[str, tuple[float, float]]:
    """Seconds of CPU and of the clock of each command with its children."""
    environment = dict(os.environ) | {"OMP_NUM_THREADS": "1"}
    places = cores()[:2][:: -1 if swapped else 1]
    groups = [list(commands)] if len(places) > 1 else [[side] for side in commands]
    found: dict[str, tuple[float, float]] = {}
    for group in groups:
        running, started = {}, time.perf_counter()
        for number, side in enumerate(group):
            place = {places[number]}
            process = subprocess.Popen(
                commands[side],
                cwd=folder,
                env=environment | {"CLF_CACHE_DIR": str(folder / f"cache-{side}")},
                stdout=subprocess.DEVNULL,
                stderr=(folder / f"{side}.txt").open("wb"),
            )
            if len(places) > 1:
                os.sched_setaffinity(process.pid, place)
            running[process.pid] = side
        while running:
            pid, status, used = os.wait4(-1, 0)
            side = running.pop(pid)
            if status:
                for other in running:
                    with suppress(ProcessLookupError):
                        os.kill(other, 15)
                raise SystemExit((folder / f"{side}.txt").read_text()[-2000:])
            found[side] = (used.ru_utime + used.ru_stime, time.perf_counter() - started)
    return found


def train(data: Path, out: Path, epochs: int, flags: tuple[str, ...], arguments: argparse.Namespace) -> list[str]:
    return [
        *(sys.executable, "-m", "clf_cli", "train", "--data", str(data), "--arch", arguments.arch),
        *("--no-pretrained", "--image-size", str(arguments.px), "--epochs", str(epochs), "--device", "cpu"),
        *("--precision", arguments.precision, "--workers", "0", "--out", str(out), "--name", "run"),
        *("--warmup-epochs", "1", *flags),
    ]


def measure(data: Path, lengths: tuple[int, int], number: int, arguments: argparse.Namespace) -> dict[str, object]:
    """One round, the sides together at each length."""
    few, more = lengths
    taken, better = {}, 0
    for epochs in lengths:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            commands = {side: train(data, folder / side, epochs, flags, arguments) for side, flags in SIDES.items()}
            for side, seconds in side_by_side(commands, folder, number % 2 == 0).items():
                taken[epochs, side] = seconds
            better = (folder / "on.txt").read_text().count("(best)")
    found: dict[str, object] = {"epochs": [few, more], "better": better}
    for clock, unit in enumerate(CLOCKS):
        per_epoch = {side: (taken[more, side][clock] - taken[few, side][clock]) / (more - few) for side in SIDES}
        per_run = {side: taken[few, side][clock] - few * per_epoch[side] for side in SIDES}
        usual = {side: per_run[side] + USUAL * per_epoch[side] for side in SIDES}
        found |= {f"{side}_{unit}": [round(taken[epochs, side][clock], 2) for epochs in lengths] for side in SIDES}
        found |= {
            f"epoch_{unit}": round(per_epoch["off"], 2),
            f"per_epoch_{unit}": round(per_epoch["on"] - per_epoch["off"], 3),
            f"per_run_{unit}": round(per_run["on"] - per_run["off"], 2),
            f"share_of_{USUAL}_epochs_{unit}": round(usual["on"] / usual["off"] - 1, 4),
        }
    return found


def table(lines: list[dict[str, object]]) -> str:
    """Medians over rounds."""
    rows = ["| set | clock | an epoch without, s | callbacks per epoch, s | per run, s | share of 30 epochs |"]
    rows.append("|---|---|---|---|---|---|")
    for name in SETS:
        for unit in CLOCKS:
            keys = (f"epoch_{unit}", f"per_epoch_{unit}", f"per_run_{unit}", f"share_of_{USUAL}_epochs_{unit}")
            told = [[float(str(line[key])) for key in keys] for line in lines if line.get("set") == name]
            if told:
                epoch, each, run, share = map(median, zip(*told, strict=True))
                what = "CPU" if unit == "cpu_s" else "wall"
                rows.append(f"| {name} | {what} | {epoch:.1f} | {each:.2f} | {run:.1f} | {share:.1%} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--data", type=Path, help="a data set of its own instead, told as `usual`")
    parser.add_argument("--arch", default="resnet18")
    parser.add_argument("--px", type=int, default=96)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/callback_cost.jsonl"))
    parser.add_argument("--table", action="store_true", help="print medians of the results that are there, and stop")
    arguments = parser.parse_args()
    lines = [json.loads(line) for line in arguments.out.read_text().splitlines()] if arguments.out.exists() else []
    if arguments.table:
        print(table(lines))
        return
    for number in range(1, arguments.rounds + 1):
        for name in arguments.sets if arguments.data is None else ("usual",):
            head = {"set": name, "arch": arguments.arch, "px": arguments.px, "asked": arguments.precision}
            head |= {"round": number} | ({} if arguments.data is None else {"data": arguments.data.name})
            if any(head.items() <= line.items() for line in lines):
                continue
            with tempfile.TemporaryDirectory() as folder:
                data = Path(folder) / "set" if arguments.data is None else arguments.data.absolute()
                if arguments.data is None:
                    drawn = ("synth", "--out", str(data), "--images", str(SETS[name]), "--quiet")
                    subprocess.run([sys.executable, "-m", "clf_cli", *drawn], check=True, capture_output=True)
                line = json.dumps(head | measure(data, LENGTHS[name], number, arguments) | told())
            with arguments.out.open("a") as file:
                file.write(line + "\n")
            print(line, flush=True)


def told() -> dict[str, object]:
    return {"load": load(), "machine": machine()}


if __name__ == "__main__":
    main()
