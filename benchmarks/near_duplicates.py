"""Near duplicates of many images: seconds, memory, planted copies that are found, and clusters that nobody planted.

    python benchmarks/near_duplicates.py --data DIR --work DIR [--images 10000 100000] [--frames 1000] [--threads 2]
        [--out benchmarks/results/near_duplicates.jsonl]

Draws 64 px crops of the images of --data into --work (once; they stay), every fiftieth a changed copy of the crop
before it: recompressed, halved, brighter or trimmed by a pixel. With --frames F the images are what static cameras
see, F frames of each: one crop, noise, and something small that moves; planted is then every frame after a camera's
first, and found are those in one cluster with it. Every case is one JSON line; a case that the file
already holds is skipped. Each case has a process of its own, so that its memory is its own.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from clf_cli.data.images import SUFFIXES, open_image
from clf_cli.data.near_duplicates import find_near_duplicates
from clf_cli.data.scan import scan_files

SIDE, EVERY, MOVING = 64, 50, 8  # pixels of an image, crops to a copy, pixels of what moves
CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "quality 50": lambda image: recompressed(image, 50),
    "half": lambda image: image.resize((SIDE // 2, SIDE // 2), Image.Resampling.LANCZOS),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "trimmed": lambda image: image.crop((0, 0, SIDE - 1, SIDE - 1)),
}


def main() -> None:
    """Measures the cases that the file does not hold yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--frames", type=int, default=0, help="frames of each static camera; 0 is no camera")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/near_duplicates.jsonl"))
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measured(options.work, options.images[0], options.frames, options.threads)))
        return
    known = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    for count in options.images:
        case = {"data": options.data.name, "images": count, "threads": options.threads}
        case |= {"frames": options.frames} if options.frames else {}
        if any(case.items() <= row.items() and row.get("frames", 0) == options.frames for row in known):
            continue
        draw(options.data, options.work, count, options.frames)
        command = [sys.executable, __file__, *sys.argv[1:], "--images", str(count), "--child"]
        row = case | json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        with options.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)


def draw(data: Path, work: Path, count: int, frames: int) -> None:
    """Images 0 to `count`; those that are there stay."""
    paths = sorted(path for path in data.rglob("*") if path.suffix.lower() in SUFFIXES)
    sources = [open_image(path) for path in paths[:4000]]
    for index in range(count):
        path = work / name(index, frames)
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if frames:
            frame(sources, index, frames).save(path, quality=90)
            continue
        image = crop(sources, index)
        if index % EVERY == 1:
            image = list(CHANGES.values())[index // EVERY % len(CHANGES)](crop(sources, index - 1))
        image.save(path, quality=90)


def frame(sources: list[Image.Image], index: int, frames: int) -> Image.Image:
    """What camera `index // frames` sees: its own view, noise of deviation 3, and something of 8 px that moves."""
    rng = np.random.default_rng((index, frames))
    view = np.asarray(crop(sources, index // frames)) + rng.normal(0, 3, (SIDE, SIDE, 3))
    left, top = rng.integers(0, SIDE - MOVING, 2)
    view[top : top + MOVING, left : left + MOVING] = rng.integers(0, 256, 3)
    return Image.fromarray(view.clip(0, 255).astype(np.uint8))


def crop(sources: list[Image.Image], index: int) -> Image.Image:
    """A part of one source, of 0.4 to 0.8 of its shorter side."""
    rng = np.random.default_rng(index)
    image = sources[rng.integers(len(sources))]
    side = min(image.size) * rng.uniform(0.4, 0.8)
    left, top = rng.uniform(0, image.width - side), rng.uniform(0, image.height - side)
    return image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))


def recompressed(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def name(index: int, frames: int) -> str:
    return f"{f'cameras-{frames}/' if frames else ''}{index // 1000:03}/{index:06}.jpg"


def measured(work: Path, count: int, frames: int, threads: int) -> dict[str, Any]:
    """Of the first `count` images."""
    paths = [name(index, frames) for index in range(count)]
    idle = peak()
    started, worked = time.perf_counter(), time.process_time()
    files = scan_files(work.resolve(), paths, threads).files
    scanned, scan_cpu, scan_peak = time.perf_counter(), time.process_time(), peak()
    clusters = find_near_duplicates(work.resolve(), files, paths, threads).clusters
    near_seconds, near_cpu = time.perf_counter() - scanned, time.process_time() - scan_cpu
    told = seen(paths, clusters, frames) if frames else found(paths, clusters)
    return {
        "scan_s": round(scanned - started, 1), "scan_cpu_s": round(scan_cpu - worked, 1),
        "near_s": round(near_seconds, 1), "near_cpu_s": round(near_cpu, 1), "load": round(os.getloadavg()[0], 1),
        "scan_mb": scan_peak - idle, "near_mb": peak() - scan_peak,
        "largest": max(map(len, clusters), default=0), **told,
    }  # fmt: skip


def found(paths: list[str], clusters: Sequence[Sequence[str]]) -> dict[str, Any]:
    """The share of planted copies in the cluster of what they are copies of, by kind, and clusters without a copy."""
    cluster_of = {path: index for index, cluster in enumerate(clusters) for path in cluster}
    planted = range(1, len(paths), EVERY)
    together = [index for index in planted if cluster_of.get(paths[index], -1) == cluster_of.get(paths[index - 1], -2)]
    by_change = {
        change: round(sum(index // EVERY % len(CHANGES) == k for index in together) * len(CHANGES) / len(planted), 3)
        for k, change in enumerate(CHANGES)
    }
    copies = {paths[index] for index in planted}
    others = sum(not copies & set(cluster) for cluster in clusters)
    return {"planted": len(planted), "found": by_change, "not_planted": others}


def seen(paths: list[str], clusters: Sequence[Sequence[str]], frames: int) -> dict[str, Any]:
    """The share of frames in a cluster with their camera's first, and clusters of several cameras."""
    camera = {path: index // frames for index, path in enumerate(paths)}
    cluster_of = {path: index for index, cluster in enumerate(clusters) for path in cluster}
    planted = [path for index, path in enumerate(paths) if index % frames]
    together = sum(cluster_of.get(path, -1) == cluster_of.get(paths[camera[path] * frames], -2) for path in planted)
    mixed = sum(len({camera[path] for path in cluster}) > 1 for cluster in clusters)
    return {"planted": len(planted), "found": {"frames": round(together / len(planted), 3)}, "not_planted": mixed}


def peak() -> int:
    """Most memory so far, in MB; Linux. getrusage would tell that of the process before exec."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


if __name__ == "__main__":
    main()
