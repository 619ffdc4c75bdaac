"""What the twelve callbacks cost: one training with all of them on and one with all of them off, in turns.

    uv run python benchmarks/callback_cost.py --data DIR --weights FILE [--out benchmarks/results/callback_cost.jsonl]

tf_efficientnet_lite0 at 96 px with local weights, one math thread. CPU seconds of the whole process tree, with and
without the export at the end, which is a cost per run. One JSON line per round is appended.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

OFF = (
    *("--no-ema", "--no-export", "--no-confusion", "--no-model-info", "--no-dataset-stats", "--no-history"),
    *("--no-sampler-stats", "--no-samples", "--no-progress", "--no-lr-log", "--no-early-stopping", "--no-checkpoints"),
)


def cpu_seconds(data: Path, weights: Path, epochs: int, *flags: str) -> float:
    """Of one `clf train`."""
    with tempfile.TemporaryDirectory() as out:
        command = [
            *(sys.executable, "-m", "clf_cli", "train", "--data", str(data), "--arch", "tf_efficientnet_lite0"),
            *("--weights", str(weights), "--image-size", "96", "--augment", "ocr", "--epochs", str(epochs)),
            *("--threads", "1", "--workers", "0", "--out", out, *flags),
        ]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/callback_cost.jsonl"))
    arguments = parser.parse_args()
    lines = arguments.out.read_text().splitlines() if arguments.out.exists() else []
    done = {json.loads(line)["round"] for line in lines}
    case = (arguments.data, arguments.weights, arguments.epochs)
    for number in range(1, arguments.rounds + 1):
        if number in done:
            continue
        off = cpu_seconds(*case, *OFF)
        on = cpu_seconds(*case, "--no-export")
        exported = cpu_seconds(*case)
        line = json.dumps(
            {
                "round": number,
                "epochs": arguments.epochs,
                "off_cpu_s": round(off, 1),
                "on_cpu_s": round(on, 1),
                "on_with_export_cpu_s": round(exported, 1),
                "share": round((on - off) / off, 4),
                "export_cpu_s": round(exported - on, 1),
                "load": round(os.getloadavg()[0], 1),
            }
        )
        with arguments.out.open("a") as file:
            file.write(line + "\n")
        print(line, flush=True)


if __name__ == "__main__":
    main()
