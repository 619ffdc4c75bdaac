"""Peak memory of `clf train` against a bare PyTorch loop, and the decoded images that it keeps.

    uv run python benchmarks/memory.py [--out benchmarks/results/memory.jsonl] [--rounds 3] [--table]

resnet18 at 96 and 224 px, batch 32, one math thread, on JPEG files that this script draws. The bare loop imports torch
and timm, and twice steps on one batch in memory in the precision and layout that the run took, then scores one of 64;
`bare average` also keeps a moving average of its weights, as the run does. It loads no data and saves nothing.
The peak is of a process and its children, read 20 times a second: anonymous and shared pages, each shared by its users
(PSS), and the file pages, mostly libraries, of the process that maps most of them: their PSS depends on what else runs
on the machine. The kernel's own peak of the largest process (VmHWM) stands beside it. `cache` is what the run
keeps decoded, as `--dry-run` tells it; `clf no export` is the same run without the ONNX file and the page of its end.
Linux only. Both sides take turns; one JSON line per case is appended, and cases that are there are skipped.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from machine import load, machine
from peers import BATCH, CLASSES, draw_data

IMAGES = {96: (320, 64), 224: (96, 64)}
EPOCHS = 2
SIDES = ("bare", "bare average", "clf", "clf no export")
INTERVAL = 0.05  # seconds
MIB = 2**20


def bare(px: int, precision: str, averages: bool = False) -> None:
    """Epochs of a few steps and a scored batch, as the run computes them."""
    from copy import deepcopy

    import timm
    import torch

    network = timm.create_model("resnet18", num_classes=CLASSES).to(memory_format=torch.channels_last).train()
    average = deepcopy(network) if averages else None
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    images = torch.randn(BATCH, 3, px, px).contiguous(memory_format=torch.channels_last)
    targets = torch.randint(0, CLASSES, (BATCH,))
    for _ in range(EPOCHS):
        network.train()
        for _ in range(4):
            mixed = torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()
            optimizer.zero_grad(set_to_none=True)
            with mixed:
                logits = network(images)
            torch.nn.functional.cross_entropy(logits.float(), targets).backward()
            optimizer.step()
            if average is not None:
                with torch.no_grad():
                    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 0.001)
        with torch.inference_mode():
            (average or network).eval()(torch.randn(64, 3, px, px).contiguous(memory_format=torch.channels_last))


def train_command(data: Path, px: int, out: Path, *flags: str) -> list[str]:
    return [
        *(sys.executable, "-m", "clf_cli", "train", "--data", str(data), "--arch", "resnet18", "--no-pretrained"),
        *("--image-size", str(px), "--batch-size", str(BATCH), "--epochs", str(EPOCHS), "--device", "cpu"),
        *("--out", str(out), "--name", "run", "--quiet", *flags),
    ]


def peak_of(command: list[str], scratch: Path) -> tuple[float, float]:
    """Peak MiB of the process tree and of its largest process (VmHWM). Raises CalledProcessError."""
    environment = dict(os.environ) | {"OMP_NUM_THREADS": "1", "CLF_CACHE_DIR": str(scratch / "cache")}
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, cwd=scratch
    )
    peak = largest = 0
    while process.poll() is None:
        tree = list(processes_below(process.pid))
        own = sum(_bytes(f"/proc/{pid}/smaps_rollup", "Pss_Anon", "Pss_Shmem") for pid in tree)
        peak = max(peak, own + max(_bytes(f"/proc/{pid}/status", "RssFile") for pid in tree))
        largest = max([largest, *(_bytes(f"/proc/{pid}/status", "VmHWM") for pid in tree)])
        time.sleep(INTERVAL)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return peak / MIB, largest / MIB


def processes_below(pid: int) -> Iterator[int]:
    """A process and all that descend from it."""
    yield pid
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from processes_below(int(child))


def _bytes(path: str, *names: str) -> int:
    """The sum of fields in kB of a process that may have ended."""
    with contextlib.suppress(OSError):
        fields = (line.partition(":") for line in Path(path).read_text().splitlines())
        return 1024 * sum(int(value.split()[0]) for name, _, value in fields if name in names)
    return 0


def planned(data: Path, px: int, scratch: Path) -> tuple[str, float]:
    """The precision that a run takes here, and MiB of decoded images that it keeps."""
    environment = dict(os.environ) | {"OMP_NUM_THREADS": "1", "CLF_CACHE_DIR": str(scratch / "cache")}
    command = train_command(data, px, scratch / "planned", "--dry-run", "--json")
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd=scratch)
    result = json.loads(done.stdout)["result"]
    return result["compute"]["precision"], result["costs"]["images_mb"] * 1e6 / MIB


def table(lines: list[dict[str, object]]) -> str:
    text = [
        "| px | bare loop, MiB | with an average | cache | clf train | no export | clf - bare - cache | no export |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for px in IMAGES:
        of = {
            side: [float(str(line["peak_mib"])) for line in lines if (line["px"], line["side"]) == (px, side)]
            for side in SIDES
        }
        if all(of.values()):
            loop, average, whole, part = (median(of[side]) for side in SIDES)
            kept = median(float(str(line["cache_mib"])) for line in lines if line["px"] == px)
            text.append(
                f"| {px} | {loop:.0f} | {average:.0f} | {kept:.0f} | {whole:.0f} | {part:.0f} "
                f"| {whole - loop - kept:+.0f} | {part - loop - kept:+.0f} |"
            )
    return "\n".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/memory.jsonl"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bare", nargs=3, metavar=("PX", "PRECISION", "AVERAGE"), help="the loop alone, here")
    parser.add_argument("--table", action="store_true", help="print medians of the results that are there, and stop")
    arguments = parser.parse_args()
    if arguments.bare:
        bare(int(arguments.bare[0]), arguments.bare[1], arguments.bare[2] == "average")
        return
    lines = [json.loads(line) for line in arguments.out.read_text().splitlines()] if arguments.out.exists() else []
    if arguments.table:
        print(table(lines))
        return
    done = {(line["px"], line["round"], line["side"]) for line in lines}
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for px, images in IMAGES.items():
            if all((px, number, side) in done for number in range(1, arguments.rounds + 1) for side in SIDES):
                continue
            data = scratch / str(px)
            draw_data(data, images)
            precision, kept = planned(data, px, scratch)
            for number in range(1, arguments.rounds + 1):
                for side in SIDES:
                    if (px, number, side) in done:
                        continue
                    with tempfile.TemporaryDirectory(dir=scratch) as out:
                        flags = ("--no-export", "--no-report") if side == "clf no export" else ()
                        average = "average" if side == "bare average" else "none"
                        command = (
                            [sys.executable, str(Path(__file__).absolute()), "--bare", str(px), precision, average]
                            if side.startswith("bare")
                            else train_command(data, px, Path(out), *flags)
                        )
                        peak, largest = peak_of(command, scratch)
                    result = {
                        **{"px": px, "round": number, "side": side, "precision": precision},
                        **{"peak_mib": round(peak), "largest_process_mib": round(largest)},
                        **{"cache_mib": round(kept, 1), "load": load(), "machine": machine()},
                    }
                    with arguments.out.open("a") as file:
                        file.write(json.dumps(result) + "\n")
                    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
