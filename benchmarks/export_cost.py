"""Seconds and bytes of `clf export` and of its ladder's first rungs, against plain `torch.onnx.export`.

    uv run python benchmarks/export_cost.py [--out benchmarks/results/export_cost.jsonl]
    uv run python benchmarks/export_cost.py --page

Networks at 224 px with random weights, on one thread. `cpu_s` and `wall_s` are of one process that has imported
everything and exported once; four sides in turn, three rounds, medians:

- plain: `torch.onnx.export(network, (example,), path, dynamo=True)`
- torch.export: the same to a file with a free batch and its contract, checked by onnx: the ladder's second rung
- rung: the first rung, torch's tracer with onnxscript's optimiser, to a file like that
- clf: all that `clf export CHECKPOINT --data DIR` does: reading the checkpoint, the rung, the comparison with torch at
  five batch sizes, scoring 64 images with the file and with torch, golden samples, the check of the final file

`first_cpu_s` is the first export of a process that has torch, timm, onnx and ONNX Runtime, with what it imports, each
in a process of its own. `answer` is the time of ONNX Runtime with
the first rung's file over that with torch.export's, for one image and for eight, each the least of many in turn.

One JSON line per architecture is appended; those that are there are skipped. `--page` prints the table.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]  # ships no types
import torch
from export_sweep import CLASSES, write_checkpoint
from PIL import Image

from clf_cli.data.dataset import Dataset, load_dataset
from clf_cli.engine.onnx_convert import write_onnx
from clf_cli.engine.onnx_export import contract_of, export_checkpoint
from clf_cli.engine.onnx_metadata import Exporter, Made
from clf_cli.engine.onnx_plan import ExportImages, ExportPlan
from clf_cli.engine.onnx_quiet import quiet
from clf_cli.models.checkpoint import Checkpoint, read_checkpoint
from clf_cli.models.compute import Compute
from clf_cli.models.network import checkpoint_classifier, load_network
from clf_cli.settings.sections import DataSection
from clf_cli.values.onnx_files import files_beside

RESULTS = Path(__file__).parent / "results" / "export_cost.jsonl"
ARCHS = (
    "resnet18",
    "tf_efficientnet_lite0",
    "mobilenetv3_small_100",
    "convnext_atto",
    "vit_tiny_patch16_224",
    "swin_tiny_patch4_window7_224",
)
WARM_UP = "test_resnet"
SIDES = ("plain", "torch.export", "rung", "clf")
RUNGS: dict[str, Exporter] = {"torch.export": "torch.export", "rung": "torchscript"}
ROUNDS = 3
ANSWERS = 15
IMAGES = 64
OPSET = 18
COMPUTE = Compute("cpu", 1, 0, "fp32", 0, channels_last=True, deterministic=False)


def drawn(root: Path) -> Dataset:
    """Coarse shapes in as many classes as the networks have; all in val but one image of each, which train needs."""
    rng = np.random.default_rng(0)
    for number in range(IMAGES + CLASSES):
        split, name = ("train", number) if number < CLASSES else ("val", number % CLASSES)
        folder = root / split / f"class {name}"
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((256, 256)).save(folder / f"{number}.jpg")
    return load_dataset(DataSection(root=root), seed=0)


def plain(checkpoint: Checkpoint, path: Path) -> Callable[[], object]:
    """What torch does by itself: its own opset, batch and names, weights in a second file."""
    network, _ = load_network(checkpoint)
    example = torch.zeros(1, 3, checkpoint.preprocess.height, checkpoint.preprocess.width)

    def export() -> None:
        with quiet():
            torch.onnx.export(network, (example,), str(path), dynamo=True)

    return export


def rung(side: str, checkpoint: Checkpoint, path: Path) -> Callable[[], object]:
    network, weights = load_network(checkpoint, fused_attention=False)
    contract = contract_of(checkpoint, weights)
    return lambda: write_onnx(network, contract, Made(RUNGS[side], OPSET), path)


def first(side: str, checkpoint: Path) -> None:
    """The child: prints CPU seconds of one export."""
    import onnxruntime  # noqa: F401  # what an export has anyway

    torch.set_num_threads(COMPUTE.threads)
    with tempfile.TemporaryDirectory() as name:
        export = rung(side, read_checkpoint(checkpoint), Path(name) / "model.onnx")
        before = spent()
        export()
        print(round(spent()[0] - before[0], 2))


def answers(files: dict[str, Path], side: int) -> list[float]:
    """Of the first rung's file over torch.export's, for one image and for eight."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    sessions = {name: ort.InferenceSession(str(files[name]), options) for name in RUNGS}
    found = []
    for count in (1, 8):
        images = np.random.default_rng(0).standard_normal((count, 3, side, side), dtype=np.float32)
        least = dict.fromkeys(RUNGS, float("inf"))
        for _ in range(ANSWERS):
            for name, session in sessions.items():
                start = time.perf_counter()
                session.run(None, {"input": images})
                least[name] = min(least[name], time.perf_counter() - start)
        found.append(round(least["rung"] / least["torch.export"], 3))
    return found


def clf(checkpoint: Checkpoint, path: Path, dataset: Dataset) -> Callable[[], object]:
    plan = ExportPlan(COMPUTE, images=ExportImages(dataset))

    def export() -> None:
        fresh = read_checkpoint(checkpoint.path)
        export_checkpoint(fresh, checkpoint_classifier(fresh, compute=COMPUTE), files_beside(path), plan)

    return export


def spent() -> tuple[float, float]:
    """Seconds of CPU, those of children too, and of the wall."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system, time.perf_counter()


def measure(arch: str, dataset: Dataset, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_checkpoint(arch, folder / "best.ckpt")
        checkpoint = read_checkpoint(folder / "best.ckpt")
        paths = {side: folder / side / "model.onnx" for side in SIDES}
        for path in paths.values():
            path.parent.mkdir()
        calls = {
            "plain": plain(checkpoint, paths["plain"]),
            **{side: rung(side, checkpoint, paths[side]) for side in RUNGS},
            "clf": clf(checkpoint, paths["clf"], dataset),
        }
        seconds: dict[str, list[tuple[float, float]]] = {side: [] for side in SIDES}
        for _ in range(rounds):
            for side, call in calls.items():
                before = spent()
                call()
                after = spent()
                seconds[side].append((after[0] - before[0], after[1] - before[1]))
        cpu = {side: statistics.median(one for one, _ in found) for side, found in seconds.items()}
        wall = {side: statistics.median(one for _, one in found) for side, found in seconds.items()}
        sizes = {side: sum(file.stat().st_size for file in path.parent.glob("*.onnx*")) for side, path in paths.items()}
        ratio = answers(paths, checkpoint.preprocess.height)
        program = [sys.executable, __file__, "--checkpoint", str(checkpoint.path), "--first"]
        firsts = {side: json.loads(subprocess.check_output([*program, side], text=True)) for side in RUNGS}
        nodes = {side: len(onnx.load(paths[side], load_external_data=False).graph.node) for side in RUNGS}
    return {
        "arch": arch,
        "images": IMAGES,
        "cpu_s": {side: round(value, 2) for side, value in cpu.items()},
        "wall_s": {side: round(value, 2) for side, value in wall.items()},
        "ratio": {side: round(cpu[side] / cpu["plain"], 2) for side in SIDES},
        "bytes": sizes,
        "nodes": nodes,
        "first_cpu_s": firsts,
        "answer": ratio,
        "load": round(os.getloadavg()[0], 1),
    }


def page(lines: list[dict[str, Any]]) -> str:
    """A Markdown table."""
    header = ["network", *(f"{side}, CPU s" for side in SIDES), "first export of a process: torch.export", "rung"]
    header += ["nodes: torch.export", "rung", "time of an answer, 1 and 8"]
    rows = [header, ["---"] * len(header)]
    for line in lines:
        cpu = [f"{line['cpu_s'][side]:.1f}" for side in SIDES]
        pairs = [line[what][side] for what in ("first_cpu_s", "nodes") for side in RUNGS]
        rows.append([line["arch"], *cpu, *map(str, pairs), "{:.2f}, {:.2f}".format(*line["answer"])])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--page", action="store_true", help="print what is there as a table, and measure nothing")
    parser.add_argument("--checkpoint", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--first", choices=RUNGS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.first:
        first(arguments.first, arguments.checkpoint)
        return
    lines = [json.loads(line) for line in arguments.out.read_text().splitlines()] if arguments.out.exists() else []
    if arguments.page:
        print(page(lines))
        return
    missing = [arch for arch in ARCHS if arch not in {line["arch"] for line in lines}]
    if not missing:
        return
    torch.set_num_threads(COMPUTE.threads)
    warnings.simplefilter("ignore")  # the exporter's, about its own code
    with tempfile.TemporaryDirectory() as name:
        dataset = drawn(Path(name))
        measure(WARM_UP, dataset, rounds=1)
        for arch in missing:
            line = measure(arch, dataset, ROUNDS)
            with arguments.out.open("a") as file:
                file.write(json.dumps(line) + "\n")
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
