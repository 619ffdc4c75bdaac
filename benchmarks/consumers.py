"""What consumers answer for every val image of a run, and for its golden samples: the table of docs/consumers.md.

    uv run python benchmarks/consumers.py RUN DATA [--model model.onnx] [--out benchmarks/results/consumers.jsonl]

Each consumer of examples/consumers decodes the files by itself and is compared with python_minimal.py. The rows
`cv2.INTER_*` are opencv_dnn.py with OpenCV's own resize instead of Pillow's. One JSON line a consumer is appended.
"""

import argparse
import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

CONSUMERS = Path(__file__).parents[1] / "examples" / "consumers"
NODE = CONSUMERS / "onnxruntime_node"
KERNELS = ("INTER_AREA", "INTER_LINEAR", "INTER_CUBIC", "INTER_LANCZOS4")
BATCH = 64

sys.path.insert(0, str(CONSUMERS))
from golden import compare, difference, imported  # noqa: E402 - after its folder is named


def answers_of(consumer: Any, model: Path, paths: list[str]) -> np.ndarray:
    """(N, classes)"""
    contract, run = consumer.load(str(model))
    batches = [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]
    return np.concatenate([run(np.stack([consumer.tensor(path, contract) for path in batch])) for batch in batches])


def resized_by(kernel: int) -> Callable[..., np.ndarray]:
    import cv2

    return lambda pixels, width, height, _: cv2.resize(pixels, (width, height), interpolation=kernel)


def in_node(*arguments: str) -> list[Any]:
    """What classify.mjs prints: golden samples make it exit with 1 where they are not reproduced."""
    command = ["node", str(NODE / "classify.mjs"), *arguments]
    text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return [json.loads(text)] if "--golden" in arguments else [json.loads(line) for line in text.splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="model.onnx", help="A file in the run's export folder.")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/consumers.jsonl"))
    arguments = parser.parse_args()
    model = arguments.run / "export" / arguments.model
    samples = model.with_name("golden" if arguments.model == "model.onnx" else f"{model.stem}.golden")
    with (arguments.run / "splits.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "val"]
    paths = [str(arguments.data / row["path"]) for row in rows]

    minimal = imported(CONSUMERS / "python_minimal.py")
    labels = minimal.load(str(model))[0]["labels"]
    wanted = answers_of(minimal, model, paths)

    def tell(name: str, golden: dict[str, Any] | None, predicted: list[str], found: np.ndarray | None) -> None:
        """One line; `predicted` are the labels of the images."""
        agreed = [a == labels[b] for a, b in zip(predicted, wanted.argmax(axis=1), strict=True)]
        line = {
            "run": arguments.run.name,
            "model": arguments.model,
            "consumer": name,
            "golden": golden,
            "images": len(paths),
            "top1_agreement": sum(agreed) / len(agreed),
            "relative_difference": None if found is None else difference(found, wanted),
            "acc_top1": sum(a == row["label"] for a, row in zip(predicted, rows, strict=True)) / len(rows),
        }
        print(json.dumps(line))
        with arguments.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def measure(name: str, consumer: Any) -> None:
        try:
            found = answers_of(consumer, model, paths)
        except Exception as error:  # noqa: BLE001 - of OpenCV and OpenVINO: a file that they cannot read
            print(f"{name}: {' '.join(str(error).split())}", file=sys.stderr)
            return
        tell(name, compare(consumer, str(model), samples), [labels[best] for best in found.argmax(axis=1)], found)

    measure("python_minimal", minimal)
    for name in ("openvino_runtime", "opencv_dnn"):
        measure(name, imported(CONSUMERS / f"{name}.py"))
    for kernel in KERNELS:
        consumer = imported(CONSUMERS / "opencv_dnn.py")
        consumer.resize = resized_by(getattr(sys.modules["cv2"], kernel))
        measure(f"cv2.{kernel}", consumer)
    if (NODE / "node_modules").is_dir():
        [golden] = in_node(str(model), "--golden", str(samples))
        tell("onnxruntime_node", golden, [one["label"] for one in in_node(str(model), *paths)], None)


if __name__ == "__main__":
    main()
