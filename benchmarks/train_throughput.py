"""Images per second of `clf train` against a bare PyTorch loop on tensors in memory, the limit, in the same run.

    uv run python benchmarks/train_throughput.py [--out benchmarks/results/train_throughput.jsonl]

Both sides: resnet18, fp32, channels-last, fused AdamW, batch 32, one math thread. `clf train` reads JPEG files that
this script draws, augments (basic), keeps the moving average, validates, and writes every artefact of an epoch; its
rate is marginal: the images of the extra epochs of a long run over the CPU seconds that they cost. The steps' own rate
is from timing.csv. CPU seconds are of the whole process tree. Rounds are interleaved. One JSON line per case is
appended and cases that are there are skipped, so the script can be cut at any moment.
"""

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from PIL import Image

ARCH, BATCH, CLASSES = "resnet18", 32, 4
IMAGES = {96: 960, 224: 320}  # of the train split; the val split has a fifth of that
EPOCHS = (1, 3)  # the short and the long run


def draw_data(root: Path, images: int, side: int = 256) -> None:
    """Smooth random pictures as JPEG files, about as hard to decode as photographs."""
    rng = np.random.default_rng(0)
    for split, count in (("train", images), ("val", images // 5)):
        for number in range(count):
            folder = root / split / f"class{number % CLASSES}"
            folder.mkdir(parents=True, exist_ok=True)
            coarse = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
            fine = rng.normal(0, 8, (side, side, 3))
            pixels = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC)) + fine
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number:05d}.jpg", quality=90)


def limit(px: int, steps: int) -> float:
    """Images per CPU second of forward, backward and optimiser step on random tensors."""
    import timm
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    network = timm.create_model(ARCH, num_classes=CLASSES).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    images = torch.randn(BATCH, 3, px, px).contiguous(memory_format=torch.channels_last)
    targets = torch.randint(0, CLASSES, (BATCH,))
    for step in range(steps + 2):
        if step == 2:  # the first two allocate
            start = time.process_time()
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(network(images), targets).backward()
        optimizer.step()
    return steps * BATCH / (time.process_time() - start)


def train(data: Path, px: int, epochs: int, out: Path) -> tuple[float, float, float]:
    """CPU seconds and wall seconds of one `clf train`, and the median rate of its training steps."""
    name = f"{px}-{epochs}"
    command = [
        *(sys.executable, "-m", "clf_cli", "train", "--data", str(data), "--arch", ARCH, "--no-pretrained"),
        *("--image-size", str(px), "--epochs", str(epochs), "--batch-size", str(BATCH), "--device", "cpu"),
        *("--threads", "1", "--workers", "0", "--precision", "fp32", "--out", str(out), "--name", name, "--no-export"),
        *("--no-early-stopping", "--quiet"),
    ]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    with (out / name / "timing.csv").open(newline="") as file:
        rates = [float(row["images_per_second"]) for row in csv.DictReader(file)]
    return cpu, wall, float(np.median(rates))


def measure(px: int, round_number: int) -> dict[str, object]:
    """One interleaved round of both sides."""
    with tempfile.TemporaryDirectory() as folder:
        data, out = Path(folder) / "data", Path(folder) / "runs"
        draw_data(data, IMAGES[px])
        child = [sys.executable, __file__, "--limit", str(px)]
        best = float(subprocess.run(child, check=True, capture_output=True, text=True).stdout)
        (short_cpu, short_wall, _), (long_cpu, long_wall, steps) = (train(data, px, n, out) for n in EPOCHS)
        again = float(subprocess.run(child, check=True, capture_output=True, text=True).stdout)
    extra = IMAGES[px] * (EPOCHS[1] - EPOCHS[0])
    rate = extra / (long_cpu - short_cpu)
    fixed = short_cpu - IMAGES[px] * EPOCHS[0] / rate
    return {
        "px": px,
        "round": round_number,
        "limit_images_per_cpu_s": round((best + again) / 2, 2),
        "clf_images_per_cpu_s": round(rate, 2),
        "clf_steps_images_per_s": round(steps, 2),
        "ratio": round(rate / ((best + again) / 2), 3),
        "fixed_cpu_s": round(fixed, 1),
        "wall_images_per_s": round(extra / (long_wall - short_wall), 2),
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/train_throughput.jsonl"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=int, help="measure only the limit at this size and print it")
    arguments = parser.parse_args()
    if arguments.limit:
        print(limit(arguments.limit, steps=20 if arguments.limit < 128 else 8))
        return
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    lines = arguments.out.read_text().splitlines() if arguments.out.exists() else []
    done = {(case["px"], case["round"]) for case in map(json.loads, lines)}
    for round_number in range(1, arguments.rounds + 1):
        for px in IMAGES:
            if (px, round_number) not in done:
                line = json.dumps(measure(px, round_number))
                with arguments.out.open("a") as file:
                    file.write(line + "\n")
                print(line, flush=True)


if __name__ == "__main__":
    main()
