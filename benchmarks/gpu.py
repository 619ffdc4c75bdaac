"""`clf train` on a GPU against a bare PyTorch loop on tensors that lie there already, in the same run.

    python benchmarks/gpu.py [--out benchmarks/results/gpu.jsonl] [--px 224] [--batch 32 256]

Both sides: resnet18, bf16 autocast, channels-last, fused AdamW. The limit is forward, backward and optimiser step on
one batch, called plainly, and as a CUDA graph. `clf train` has its default settings and 2,560 JPEG files that this
script draws, 512 of val: `rate` is what training costs once the images are there (timing.csv, the median of its epochs
but the first two), `marginal` what an epoch costs with validation, checkpoints and reports, from the wall seconds of a
long and a short run. The last case is a hundred epochs with validation, from the start of the command to its end.
One JSON line per case is appended, and cases that are there are skipped. Without a GPU it says so and ends.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from machine import load, machine
from train_throughput import draw_data

IMAGES, EPOCHS, HUNDRED = 2560, (4, 24), 100


def limits(px: int, batch: int) -> dict[str, float]:
    """Images per second of bare steps: called plainly, and replayed as one graph."""
    import timm
    import torch

    torch.backends.cudnn.benchmark = True
    rates = {}
    for way in ("plain", "graph"):
        torch.manual_seed(0)
        network = timm.create_model("resnet18", num_classes=4).cuda().to(memory_format=torch.channels_last).train()
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True, capturable=way == "graph")
        images = torch.randn(batch, 3, px, px, device="cuda").contiguous(memory_format=torch.channels_last)
        targets = torch.randint(0, 4, (batch,), device="cuda")
        step = bare_step(network, optimizer, images, targets)
        rates[way] = batch / seconds_of(step if way == "plain" else graphed(step), 100)
    return rates


def bare_step(network: Any, optimizer: Any, images: Any, targets: Any) -> Callable[[], None]:
    import torch

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16):
            loss = torch.nn.functional.cross_entropy(network(images).float(), targets)
        loss.backward()
        optimizer.step()

    return step


def graphed(step: Callable[[], None]) -> Callable[[], None]:
    import torch

    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(5):
            step()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def seconds_of(step: Callable[[], None], steps: int) -> float:
    """Of one step: the median of five rounds."""
    import torch

    for _ in range(15):
        step()
    rounds = []
    for _ in range(5):
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(steps):
            step()
        torch.cuda.synchronize()
        rounds.append((time.perf_counter() - began) / steps)
    return statistics.median(rounds)


def train(data: Path, out: Path, case: tuple[int, int, int], more: list[str]) -> tuple[float, list[dict[str, str]]]:
    """Wall seconds of one `clf train` of (px, batch, epochs), and the rows of its timing.csv."""
    px, batch, epochs = case
    name = f"{px}-{batch}-{epochs}"
    command = [
        *(sys.executable, "-m", "clf_cli", "train", "--data", str(data), "--arch", "resnet18", "--no-pretrained"),
        *("--image-size", str(px), "--epochs", str(epochs), "--batch-size", str(batch), "--out", str(out)),
        *("--name", name, "--no-early-stopping", "--no-export", *more),
    ]
    began = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    wall = time.perf_counter() - began
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    with (out / name / "timing.csv").open(newline="") as file:
        return wall, list(csv.DictReader(file))


def measure(data: Path, px: int, batch: int, more: list[str]) -> dict[str, object]:
    child = [sys.executable, __file__, "--limit", str(px), str(batch)]
    with tempfile.TemporaryDirectory() as folder:
        before = json.loads(subprocess.run(child, check=True, capture_output=True, text=True).stdout)
        short, _ = train(data, Path(folder), (px, batch, EPOCHS[0]), more)
        long, rows = train(data, Path(folder), (px, batch, EPOCHS[1]), more)
        after = json.loads(subprocess.run(child, check=True, capture_output=True, text=True).stdout)
    limit = {way: (before[way] + after[way]) / 2 for way in before}
    rate = statistics.median(float(row["images_per_second"]) for row in rows[2:])
    return {
        "limit": round(limit["plain"]),
        "limit_graph": round(limit["graph"]),
        "rate": round(rate),
        "ratio": round(rate / limit["plain"], 3),
        "ratio_graph": round(rate / limit["graph"], 3),
        "data_wait": round(statistics.median(float(row["data_wait"]) for row in rows[2:]), 4),
        "marginal": round(IMAGES * (EPOCHS[1] - EPOCHS[0]) / (long - short)),
        "seconds_per_epoch": round((long - short) / (EPOCHS[1] - EPOCHS[0]), 3),
        "wall_short": round(short, 1),
        "memory_mb": float(rows[-1]["memory_mb"]),
    }


def hundred(data: Path, px: int, batch: int, more: list[str]) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        wall, rows = train(data, Path(folder), (px, batch, HUNDRED), more)
    epochs = [float(row["seconds"]) for row in rows]
    return {"wall": round(wall, 1), "epochs": len(rows), "first": epochs[0], "median": statistics.median(epochs)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/gpu.jsonl"))
    parser.add_argument("--px", type=int, nargs="+", default=[224, 96])
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 256])
    parser.add_argument("--hundred", type=int, nargs="*", default=[256, 32], help="batch sizes of a hundred epochs")
    parser.add_argument("--more", default="", help="further arguments of clf train")
    parser.add_argument("--limit", type=int, nargs=2, help="measure only the limit of this size and batch, print it")
    given = parser.parse_args()
    import torch

    if not torch.cuda.is_available():
        sys.exit("There is no GPU here: nothing was measured.")
    if given.limit:
        print(json.dumps(limits(*given.limit)))
        return
    given.out.parent.mkdir(parents=True, exist_ok=True)
    known = [json.loads(line) for line in given.out.read_text().splitlines()] if given.out.exists() else []
    more = given.more.split()
    header = machine() | {"gpu": torch.cuda.get_device_name(0)}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        draw_data(data, IMAGES)
        cases: list[tuple[str, int, int, Callable[..., dict[str, object]]]] = [
            *(("rate", px, batch, measure) for px in given.px for batch in given.batch),
            *(("hundred epochs", given.px[0], batch, hundred) for batch in given.hundred),
        ]
        for case, px, batch, work in cases:
            key = {"case": case, "px": px, "batch": batch, "more": given.more}
            if any(key.items() <= row.items() for row in known):
                continue
            line = json.dumps(key | work(data, px, batch, more) | {"load": load(), "machine": header})
            with given.out.open("a") as file:
                file.write(line + "\n")
            print(line, flush=True)


if __name__ == "__main__":
    main()
