"""Training images per CPU second of `clf train` and of what people would use instead, each as its users run it.

    uv run python benchmarks/peers.py [--out benchmarks/results/peers.jsonl] [--rounds 3] [--environments DIR]
    uv run python benchmarks/peers.py --table

resnet18 from random weights at 96 and 224 px, batch 32, one math thread, on JPEG files that this script draws (400 px,
about 49 KiB, ten classes). Each program runs as one process for few and for more epochs; the images of the further
epochs over the CPU seconds that they cost, validation included, are its rate: what it costs to start is in neither.
CPU seconds are of the whole process tree. The programs take turns, and every round is a JSON line per program.

Each peer has an environment of its own, which this script makes with `uv venv` and `uv pip install` from PyPI outside
the repository (the first time: some gigabytes). timm's train script is in no package: --timm-train names the file, from
a checkout of timm at the version below; without it the line says so. Lines that are there are skipped, so the script
can be cut at any moment.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from machine import load, machine
from PIL import Image

BATCH, CLASSES, SIDE = 32, 10, 400
IMAGES = {96: (320, 80), 224: (160, 40)}  # train, val
EPOCHS = {96: (1, 3), 224: (1, 2)}
PACKAGES = {  # what each environment gets
    "timm": ("timm==1.0.31", "pyyaml"),
    "ultralytics": ("ultralytics==8.4.190",),
    "fastai": ("fastai==2.8.12",),
}
NO_TRAIN_SCRIPT = "timm's train.py is in no package on PyPI, and --timm-train does not name it"
OURS = ("clf", "clf fp32")
PROGRAMS = (*OURS, "ultralytics", "fastai", "timm")
PRECISION = {"clf fp32": "fp32", "ultralytics": "fp32", "fastai": "fp32", "timm": "fp32"}  # of clf: as its run says
RESNET = Path("ultralytics/cfg/models/11/yolo11-cls-resnet18.yaml")


@dataclass(frozen=True)
class Case:
    """One run of a program: `out` is a new folder for what it writes."""

    data: Path
    px: int
    epochs: int
    out: Path


Command = Callable[[Case], list[str]]


def draw_data(root: Path, images: tuple[int, int]) -> None:
    """Smooth pictures with noise, as hard to decode as photographs, in folders per class."""
    rng = np.random.default_rng(0)
    for split, count in zip(("train", "val"), images, strict=True):
        for number in range(count):
            folder = root / split / f"class{number % CLASSES}"
            folder.mkdir(parents=True, exist_ok=True)
            coarse = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
            fine = rng.normal(0, 8, (SIDE, SIDE, 3))
            pixels = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) + fine
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number:05d}.jpg", quality=90)


def python_of(environments: Path, name: str) -> Path:
    """The interpreter of a peer's environment, which is made if it is not there. Raises CalledProcessError."""
    folder = environments / name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    marker = folder / "installed.json"
    if marker.is_file() and json.loads(marker.read_text())["packages"] == list(PACKAGES[name]):
        return python
    start = time.perf_counter()
    run(["uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)])
    run(["uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), *PACKAGES[name]])
    seconds = time.perf_counter() - start
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    print(f"{name}: installed in {seconds:.0f} s, {size / 1e9:.1f} GB", file=sys.stderr)
    marker.write_text(json.dumps({"packages": PACKAGES[name], "seconds": round(seconds), "bytes": size}))
    return python


def run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def commands(environments: Path, timm_train: Path | None) -> dict[str, Command | str]:
    """How each program is run, or why it is not."""
    found: dict[str, Command | str] = {"clf": clf, "clf fp32": lambda case: [*clf(case), "--precision", "fp32"]}
    makers: dict[str, Callable[[Path], Command]] = {
        "ultralytics": lambda python: partial(ultralytics, python, from_random_weights(python)),
        "fastai": lambda python: partial(fastai, python),
    }
    if timm_train is not None:
        makers["timm"] = lambda python: partial(timm, python, timm_train)
    else:
        found["timm"] = NO_TRAIN_SCRIPT
    for name, make in makers.items():
        try:
            found[name] = make(python_of(environments, name))
        except (subprocess.CalledProcessError, OSError, StopIteration) as error:
            said = getattr(error, "stderr", None) or str(error)
            found[name] = f"not installed: {said.strip().splitlines()[-1] if said.strip() else error}"
    return found


def clf(case: Case) -> list[str]:
    return [
        *(sys.executable, "-m", "clf_cli", "train", "--data", str(case.data), "--arch", "resnet18", "--no-pretrained"),
        *("--image-size", str(case.px), "--batch-size", str(BATCH), "--epochs", str(case.epochs), "--device", "cpu"),
        *("--out", str(case.out), "--name", "run", "--quiet"),
    ]


def from_random_weights(python: Path) -> Path:
    """Its own description of resnet18, which begins with weights from the network, without these."""
    ours = python.parents[1] / RESNET.name
    theirs = next(python.parents[1].rglob(f"site-packages/{RESNET.as_posix()}"))
    ours.write_text(theirs.read_text(encoding="utf-8").replace("DEFAULT", "None"), encoding="utf-8")
    return ours


def ultralytics(python: Path, model: Path, case: Case) -> list[str]:
    return [
        *(str(python.with_name("yolo")), "classify", "train", f"model={model}", f"data={case.data}"),
        *(f"imgsz={case.px}", f"batch={BATCH}", f"epochs={case.epochs}", "device=cpu", "pretrained=False"),
        *(f"project={case.out}", "name=run"),
    ]


def fastai(python: Path, case: Case) -> list[str]:
    driver = Path(__file__).with_name("peer_fastai.py")
    return [str(python), str(driver), str(case.data), str(case.px), str(case.epochs), str(BATCH), str(case.out)]


def timm(python: Path, script: Path, case: Case) -> list[str]:
    return [
        *(str(python), str(script), "--data-dir", str(case.data), "--train-split", "train", "--val-split", "val"),
        *("--model", "resnet18", "--num-classes", str(CLASSES), "--img-size", str(case.px), "-b", str(BATCH)),
        *("--epochs", str(case.epochs), "--warmup-epochs", "0", "--cooldown-epochs", "0", "--model-ema"),
        *("--device", "cpu", "-j", "2", "--output", str(case.out)),
    ]


def cpu_seconds(command: list[str], scratch: Path) -> float:
    """User and system time of a process and its children. Raises CalledProcessError with what it said."""
    environment = dict(os.environ) | {
        "OMP_NUM_THREADS": "1",
        "CLF_CACHE_DIR": str(scratch / "clf"),
        "YOLO_CONFIG_DIR": str(scratch / "yolo"),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd=scratch)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(name: str, command: Command, data: Path, px: int, scratch: Path) -> dict[str, object]:
    """The rate of a program: images of the further epochs over the CPU seconds that they cost."""
    seconds, precision = [], PRECISION.get(name)
    for epochs in EPOCHS[px]:
        with tempfile.TemporaryDirectory(dir=scratch) as out:
            case = Case(data, px, epochs, Path(out))
            try:
                seconds.append(cpu_seconds(command(case), scratch))
            except subprocess.CalledProcessError as error:
                last = [*filter(None, (error.stderr or error.stdout or "").strip().splitlines())][-1:]
                return {"failed": (last or [str(error.returncode)])[0][:300]}
            record = Path(out) / "run" / "run.json"
            if name in OURS:
                precision = json.loads(record.read_text())["precision"]
    few, more = EPOCHS[px]
    epoch = (seconds[1] - seconds[0]) / (more - few)
    return {
        "precision": precision,
        "images_per_cpu_s": round(IMAGES[px][0] / epoch, 2),
        "epoch_cpu_s": round(epoch, 2),
        "fixed_cpu_s": round(seconds[0] - few * epoch, 1),
        "cpu_s": [round(value, 2) for value in seconds],
    }


def table(lines: list[dict[str, object]]) -> str:
    """Medians over rounds, as the page shows them."""
    text = ["| px | program | precision | images per CPU s | clf / it | fixed CPU s |", "|---|---|---|---|---|---|"]
    for px in IMAGES:
        of_px = [line for line in lines if line["px"] == px]
        rates = {name: _median(of_px, name, "images_per_cpu_s") for name in PROGRAMS}
        for name, rate in rates.items():
            told = [line for line in of_px if line["program"] == name]
            if rate is None:
                reason = next((str(line.get("missing") or line.get("failed")) for line in told), "not measured")
                text.append(f"| {px} | {name} | | {reason} | | |")
                continue
            own = rates["clf"]
            ratio = "" if own is None or name == "clf" else f"{own / rate:.2f}"
            fixed = _median(of_px, name, "fixed_cpu_s")
            precision = next(line["precision"] for line in told if line.get("precision"))
            text.append(f"| {px} | {name} | {precision} | {rate:.1f} | {ratio} | {fixed:.1f} |")
    return "\n".join(text)


def _median(lines: list[dict[str, object]], program: str, key: str) -> float | None:
    values = [line[key] for line in lines if line["program"] == program and key in line]
    return median(float(str(value)) for value in values) if values else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/peers.jsonl"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--px", type=int, nargs="+", default=list(IMAGES))
    parser.add_argument("--environments", type=Path, default=Path.home() / ".cache" / "clf-benchmarks")
    parser.add_argument("--timm-train", type=Path, help="timm's train.py")
    parser.add_argument("--table", action="store_true", help="print the table of the results that are there, and stop")
    arguments = parser.parse_args()
    lines = [json.loads(line) for line in arguments.out.read_text().splitlines()] if arguments.out.exists() else []
    if arguments.table:
        print(table(lines))
        return
    done = {(line["px"], line["round"], line["program"]) for line in lines if "failed" not in line}
    ways = commands(arguments.environments.absolute(), arguments.timm_train and arguments.timm_train.absolute())
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for px in arguments.px:
            draw_data(scratch / str(px), IMAGES[px])
        for number in range(1, arguments.rounds + 1):
            for px in arguments.px:
                for program in PROGRAMS:
                    way = ways[program]
                    if (px, number, program) in done or (isinstance(way, str) and number > 1):
                        continue
                    head = {"px": px, "round": number, "program": program}
                    found = (
                        {"missing": way}
                        if isinstance(way, str)
                        else measure(program, way, scratch / str(px), px, scratch)
                    )
                    line = json.dumps(head | found | {"load": load(), "machine": machine()})
                    with arguments.out.open("a") as file:
                        file.write(line + "\n")
                    print(line, flush=True)


if __name__ == "__main__":
    main()
