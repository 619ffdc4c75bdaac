"""Training rate of a small network when OpenMP's idle threads spin (the default), briefly (as clf sets) or sleep.

    uv run python benchmarks/thread_wait.py [--out benchmarks/results/thread_wait.jsonl]

resnet10t at 48 px and resnet18 at 96 px, batch 32, one thread or one a core, on an idle machine and beside one busy
process. Each case is a process of its own. One JSON line per case is appended; cases that are there are skipped.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

WAITS: dict[str, dict[str, str]] = {
    "spin": {},
    "brief": {"GOMP_SPINCOUNT": "1000"},
    "sleep": {"OMP_WAIT_POLICY": "PASSIVE"},
}
NETWORKS = (("resnet10t", 48), ("resnet18", 96))


def rate(arch: str, px: int, threads: int, seconds: float = 6.0) -> float:
    """Images per wall second of forward and backward."""
    import timm
    import torch

    torch.set_num_threads(threads)
    network = timm.create_model(arch, num_classes=10).to(memory_format=torch.channels_last)
    images = torch.randn(32, 3, px, px).contiguous(memory_format=torch.channels_last)
    targets = torch.arange(32) % 10
    steps, start = 0, 0.0
    while steps < 3 or time.perf_counter() - start < seconds:
        if steps == 2:
            start = time.perf_counter()
        torch.nn.functional.cross_entropy(network(images), targets).backward()
        steps += 1
    return (steps - 2) * 32 / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/thread_wait.jsonl"))
    parser.add_argument("--case", nargs=3, metavar=("ARCH", "PX", "THREADS"), help="measure this and print the rate")
    arguments = parser.parse_args()
    if arguments.case:
        arch, px, threads = arguments.case
        print(rate(arch, int(px), int(threads)))
        return
    lines = arguments.out.read_text().splitlines() if arguments.out.exists() else []
    known = ("arch", "px", "threads", "wait", "busy")
    done = {tuple(case[name] for name in known) for case in map(json.loads, lines)}
    cores = os.cpu_count() or 1
    for (arch, px), threads, wait, busy in itertools.product(NETWORKS, (1, cores), WAITS, (False, True)):
        if (arch, px, threads, wait, busy) in done:
            continue
        environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"} | WAITS[wait]
        other = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if busy else None
        try:
            command = [sys.executable, __file__, "--case", arch, str(px), str(threads)]
            measured = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        finally:
            if other is not None:
                other.kill()
                other.wait()
        case = dict(zip(known, (arch, px, threads, wait, busy), strict=True))
        line = json.dumps({**case, "images_per_s": round(float(measured), 1)})
        with arguments.out.open("a") as file:
            file.write(line + "\n")
        print(line, flush=True)


if __name__ == "__main__":
    main()
