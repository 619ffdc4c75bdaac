"""CPU seconds that a command takes before and beside its work, as multiples of `import typer`.

    uv run python benchmarks/start_up.py [--out benchmarks/results/start_up.jsonl]

Help and a usage error of every command, then each command that takes a model: on an ONNX file, where torch is not
imported, and on the checkpoint, where it is. The data are 24 drawn images and the network is tiny, so what is left is
start-up. Each case is a process of its own, five times in turn with `import typer`; the least CPU time of each counts,
which finds bytecode written by the first.
One JSON line per case is appended; cases that are there are skipped.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from clf_cli.cli.app import COMMAND_TABLE

ROUNDS = 5
TYPER = [sys.executable, "-c", "import typer"]
CLF = [sys.executable, "-m", "clf_cli"]
TRAIN = (
    *("train", "--data", "set", "--name", "tiny", "--arch", "test_resnet", "--no-pretrained", "--image-size", "32"),
    *("--epochs", "1", "--batch-size", "8", "--threads", "1", "--device", "cpu"),
)


def cpu_seconds(command: list[str], folder: Path) -> float:
    """User and system time of one process and its children, its output thrown away."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"OMP_NUM_THREADS": "1", "CLF_CACHE_DIR": str(folder / "cache")}
    subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def cases(folder: Path) -> dict[str, list[str]]:
    """What is measured, by name."""
    image = sorted((folder / "set").rglob("*.jpg"))[0].relative_to(folder).as_posix()
    names = [name for name, _, _ in COMMAND_TABLE]
    onnx, checkpoint = "runs/tiny/export/model.onnx", "runs/tiny/checkpoints/best.ckpt"
    found = {"clf --help": ["--help"]}
    found |= {f"{name} --help": [name, "--help"] for name in names}
    found |= {f"{name} --no-such-flag": [name, "--no-such-flag"] for name in names}
    for kind, model in (("onnx", onnx), ("checkpoint", checkpoint)):
        found |= {
            f"{name} {kind}": [name, model] for name in ("evaluate", "confusion", "samples", "calibrate", "model-info")
        }
        found |= {f"predict {kind}": ["predict", model, image], f"compare {kind}": ["compare", model, model]}
    alone = {
        "history": ["history", "runs/tiny"],
        "runs": ["runs"],
        "models": ["models", "resnet18"],
        "doctor": ["doctor"],
    }
    sampler = ["sampler", "--data", "set", "--balance", "sampler"]
    return found | alone | {"sampler": sampler, "inspect-dataset": ["inspect-dataset", "set"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/start_up.jsonl"))
    arguments = parser.parse_args()
    lines = arguments.out.read_text().splitlines() if arguments.out.exists() else []
    done = {json.loads(line)["case"] for line in lines}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for setup in (("synth", "--out", "set", "--images", "24", "--classes", "2", "--imbalance", "1"), TRAIN):
            subprocess.run([*CLF, *setup, "--quiet"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        for case, words in cases(folder).items():
            if case in done:
                continue
            pairs = [(cpu_seconds(TYPER, folder), cpu_seconds([*CLF, *words], folder)) for _ in range(ROUNDS)]
            typer, clf = (min(times) for times in zip(*pairs, strict=True))
            result = {
                "case": case,
                "cpu_s": round(clf, 3),
                "import_typer_s": round(typer, 3),
                "ratio": round(clf / typer, 2),
            }
            with arguments.out.open("a") as file:
                file.write(json.dumps(result) + "\n")
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
