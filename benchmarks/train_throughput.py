"""`clf train` against a bare PyTorch loop on tensors in memory, the limit, in CPU seconds of an epoch, in the same run.

    uv run python benchmarks/train_throughput.py [--px 96 224] [--precision bf16 fp32] [--rounds 3]

Both sides: resnet18, one precision, channels-last, fused AdamW, batch 32, one math thread, and validation of a fifth as
many images in fp32. The bare loop has its images in memory, normalised. `clf train` reads JPEG files that this script
draws, augments (its default preset), keeps the moving average, guards its numbers and writes every artefact of an
epoch. An epoch is marginal on both sides: the CPU seconds of the whole process tree with many epochs less those with
few, which also gives what is fixed. Sides take turns. `kept` is the bare loop with clf's setting of the C library's
memory. The case `auto` is `clf train` as it is typed, against a bare loop in what it chose. One JSON line per case is
appended and cases that are there are skipped, so the script can be cut at any moment.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from PIL import Image

ARCH, BATCH, CLASSES = "resnet18", 32, 4
IMAGES = {96: 640, 224: 160}  # of the train split; the val split has a fifth of that
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


def bare(px: int, precision: str, epochs: int, *, kept: bool) -> None:
    """The loop that a person would write who has the images as tensors."""
    import timm
    import torch

    if kept:
        from clf_cli.models.malloc import keep_freed_memory

        keep_freed_memory()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    layout = torch.channels_last
    network = timm.create_model(ARCH, num_classes=CLASSES).to(memory_format=layout)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    images, targets = torch.randn(IMAGES[px], 3, px, px), torch.randint(0, CLASSES, (IMAGES[px],))
    images = images.contiguous(memory_format=layout)
    val, half = images[: IMAGES[px] // 5], precision == "bf16"
    for _ in range(epochs):
        network.train()
        for rows in torch.randperm(len(images)).split(BATCH):
            batch = images[rows].contiguous(memory_format=layout)
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                loss = torch.nn.functional.cross_entropy(network(batch).float(), targets[rows])
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.inference_mode():
            torch.cat([network(batch) for batch in val.split(64)]).argmax(dim=1)


def clf_train(data: Path, px: int, precision: str, epochs: int, out: Path) -> list[str]:
    """The command; its settings are the default ones but for what both sides share."""
    return [
        *(sys.executable, "-m", "clf_cli", "train", "--data", str(data), "--arch", ARCH, "--no-pretrained"),
        *("--image-size", str(px), "--epochs", str(epochs), "--batch-size", str(BATCH), "--device", "cpu"),
        *("--threads", "1", "--workers", "0", "--precision", precision, "--out", str(out), "--name", str(epochs)),
        *("--no-export", "--no-early-stopping", "--quiet"),
    ]


def cost(command: list[str]) -> tuple[float, float]:
    """CPU seconds of a command and what it started, and its highest memory in MB."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def measure(px: int, asked: str, round_number: int) -> dict[str, object]:
    """One round of all sides, in turns."""
    with tempfile.TemporaryDirectory() as folder:
        data, out = Path(folder) / "data", Path(folder) / "runs"
        draw_data(data, IMAGES[px])
        costs: dict[str, list[tuple[float, float]]] = {"clf": [], "bare": [], "kept": []}
        precision = asked
        for epochs in EPOCHS:
            costs["clf"].append(cost(clf_train(data, px, asked, epochs, out)))
            if asked == "auto":
                precision = json.loads((out / str(epochs) / "run.json").read_text())["precision"]
            for side in ("bare", "kept"):
                arguments = ["--bare", str(px), precision, str(epochs), side]
                costs[side].append(cost([sys.executable, __file__, *arguments]))
    epoch = {side: (long[0] - short[0]) / (EPOCHS[1] - EPOCHS[0]) for side, (short, long) in costs.items()}
    return {
        "px": px,
        "asked": asked,
        "precision": precision,
        "round": round_number,
        "epoch_cpu_s": {side: round(value, 3) for side, value in epoch.items()},
        "images_per_cpu_s": {side: round(IMAGES[px] / value, 1) for side, value in epoch.items()},
        "ratio": round(epoch["bare"] / epoch["clf"], 3),
        "ratio_kept": round(epoch["kept"] / epoch["clf"], 3),
        "fixed_cpu_s": {side: round(short[0] - EPOCHS[0] * epoch[side], 2) for side, (short, _) in costs.items()},
        "peak_mb": {side: round(long[1]) for side, (_, long) in costs.items()},
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/train_throughput.jsonl"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--px", type=int, nargs="+", choices=IMAGES, default=list(IMAGES))
    parser.add_argument("--precision", nargs="+", choices=("auto", "bf16", "fp32"), default=["auto", "fp32"])
    parser.add_argument("--bare", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.bare:
        px, precision, epochs, side = arguments.bare
        bare(int(px), precision, int(epochs), kept=side == "kept")
        return
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    lines = arguments.out.read_text().splitlines() if arguments.out.exists() else []
    done = {(case["px"], case.get("asked"), case["round"]) for case in map(json.loads, lines)}
    for round_number in range(1, arguments.rounds + 1):
        for px in arguments.px:
            for asked in arguments.precision:
                if (px, asked, round_number) not in done:
                    line = json.dumps(measure(px, asked, round_number))
                    with arguments.out.open("a") as file:
                        file.write(line + "\n")
                    print(line, flush=True)


if __name__ == "__main__":
    main()
