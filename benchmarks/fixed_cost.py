"""What a training run costs besides its epochs: CPU seconds of `clf train` against timm's train.py.

    uv run python benchmarks/fixed_cost.py [--timm-train FILE] [--data DIR] [--out benchmarks/results/fixed_cost.jsonl]

resnet18 at 96 px in fp32 on 320 train and 80 val images that the script draws, one thread, one process that reads them.
Each program trains 1 and 3 epochs, the programs and epochs in turn; the straight line through the least CPU times is
its cost per epoch, and its start is what is fixed. timm's script is in no package on PyPI: --timm-train names the file,
from a checkout of timm at the version below, and it runs in an environment that this script makes with uv; without it
the line says so. `first step` is the time
from the start to the first training step of `clf train` with a warm scan cache, on --data, against importing torch,
timm and lightning and building the network; the run is ended there. One JSON line per case; those that are there are
skipped.
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

EPOCHS = (1, 3)
TIMM = "timm==1.0.31"
BARE = (
    "--no-export", "--pictures", "last", "--no-report", "--no-history", "--no-confusion", "--no-samples",
    "--no-sampler-stats", "--no-dataset-stats", "--no-model-info",
)  # fmt: skip
FIRST_STEP = """
import sys, time
import clf_cli.__main__ as program
if "lightning" in sys.argv[1]:
    import torch, timm, lightning.pytorch
    timm.create_model("resnet18", num_classes=10)
    sys.exit()
import os, torch
step = torch.optim.AdamW.step
def first(*arguments, **keywords):
    os._exit(0)
torch.optim.AdamW.step = first
sys.exit(program.main(sys.argv[2:]))
"""


def cpu_seconds(command: list[str], folder: Path) -> float:
    """User and system time of one process and its children. Raises CalledProcessError, its output attached."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"OMP_NUM_THREADS": "1", "CLF_CACHE_DIR": str(folder / "cache"), "CUDA_VISIBLE_DEVICES": ""}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def draw(folder: Path) -> None:
    """Four classes of shapes as JPEG files of 128 px: 320 in train, 80 in val."""
    from PIL import Image, ImageDraw

    for split, images in (("train", 320), ("val", 80)):
        for number in range(images):
            kind, place = number % 4, 16 + 7 * (number % 9)
            image = Image.new("RGB", (128, 128), ((37 * number) % 256, (91 * number) % 256, 120))
            pen, box = ImageDraw.Draw(image), (place, place, place + 40, place + 40)
            (pen.ellipse, pen.rectangle, pen.line, pen.chord)[kind](
                *((box, 0, 200) if kind == 3 else (box,)), fill="white"
            )
            target = folder / "shapes" / split / f"kind{kind}" / f"{number:03}.jpg"
            target.parent.mkdir(parents=True, exist_ok=True)
            image.save(target, quality=90)


def clf(folder: Path, flags: tuple[str, ...]) -> Callable[[int], float]:
    def train(epochs: int) -> float:
        with tempfile.TemporaryDirectory(dir=folder) as out:
            return cpu_seconds([*_clf_train(folder / "shapes", out), "--epochs", str(epochs), *flags], folder)

    return train


def _clf_train(data: Path, out: str) -> list[str]:
    return [
        sys.executable, "-m", "clf_cli", "train", "--data", str(data), "--out", out, "--arch", "resnet18",
        "--no-pretrained", "--image-size", "96", "--batch-size", "32", "--workers", "1", "--threads", "1",
        "--device", "cpu", "--precision", "fp32", "--quiet",
    ]  # fmt: skip


def timm(folder: Path, script: Path) -> Callable[[int], float]:
    """timm's script in an environment of its own. Raises CalledProcessError where it cannot be made."""
    place, python = folder / "timm", folder / "timm" / "bin" / "python"
    packages = [TIMM, "pyyaml", *(f"{name}=={_version(name)}" for name in ("torch", "torchvision"))]
    for words in (["venv", "-q", str(place)], ["pip", "install", "-q", "--python", str(python), *packages]):
        subprocess.run(["uv", *words], check=True, capture_output=True, text=True)

    def train(epochs: int) -> float:
        with tempfile.TemporaryDirectory(dir=folder) as out:
            words = [
                *(str(python), str(script), "--data-dir", str(folder / "shapes"), "--train-split", "train"),
                *("--val-split", "val", "--model", "resnet18", "--num-classes", "4", "--img-size", "96", "-b", "32"),
                *("--epochs", str(epochs), "--warmup-epochs", "0", "--cooldown-epochs", "0", "--model-ema"),
                *("--device", "cpu", "-j", "1", "--output", out),
            ]
            return cpu_seconds(words, folder)

    return train


def _version(name: str) -> str:
    from importlib.metadata import version

    return re.sub(r"\+.*", "", version(name))


def line_of(times: dict[int, float]) -> dict[str, float]:
    """Fixed and per epoch, of the straight line through two points."""
    first, last = EPOCHS
    slope = (times[last] - times[first]) / (last - first)
    return {"fixed_cpu_s": round(times[first] - first * slope, 2), "epoch_cpu_s": round(slope, 2)}


def folder_size(folder: Path) -> float:
    """MB of a run with everything on, but for checkpoints/ and export/."""
    with tempfile.TemporaryDirectory(dir=folder) as out:
        cpu_seconds([*_clf_train(folder / "shapes", out), "--epochs", "3"], folder)
        run = Path(out) / "shapes"
        files = [file for file in run.rglob("*") if file.is_file()]
        kept = [file for file in files if file.relative_to(run).parts[0] not in ("checkpoints", "export")]
        return round(sum(file.stat().st_size for file in kept) / 1e6, 2)


def first_step(folder: Path, data: Path, rounds: int) -> dict[str, float]:
    """CPU seconds to the first step, and of what it cannot do without; the first round fills the scan cache."""
    base = [sys.executable, "-c", FIRST_STEP]
    times: dict[str, list[float]] = {"clf": [], "imports": []}
    for number in range(rounds + 1):
        with tempfile.TemporaryDirectory(dir=folder) as out:
            clf_s = cpu_seconds([*base, "clf", *_clf_train(data, out)[3:], "--workers", "0"], folder)
        imports = cpu_seconds([*base, "lightning"], folder)
        if number:
            times["clf"].append(clf_s)
            times["imports"].append(imports)
    least = {name: min(values) for name, values in times.items()}
    return {
        "clf_cpu_s": round(least["clf"], 2),
        "imports_cpu_s": round(least["imports"], 2),
        "ratio": round(least["clf"] / least["imports"], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--timm-train", type=Path, help="timm's train.py")
    parser.add_argument("--data", type=Path, help="images of the first step; default: the drawn ones")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/fixed_cost.jsonl"))
    arguments = parser.parse_args()
    lines = arguments.out.read_text().splitlines() if arguments.out.exists() else []
    done = {json.loads(line)["case"] for line in lines}

    def keep(case: str, **result: object) -> None:
        line = json.dumps({"case": case, **result, "load": round(os.getloadavg()[0], 1)})
        with arguments.out.open("a") as file:
            file.write(line + "\n")
        print(line, flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder)
        if "runs" not in done:
            runs, note = {"clf, without export and pictures": clf(folder, BARE), "clf": clf(folder, ())}, None
            if arguments.timm_train is None:
                note = "timm's train.py is in no package on PyPI, and --timm-train does not name it"
            else:
                try:
                    runs["timm"] = timm(folder, arguments.timm_train.absolute())
                except (OSError, subprocess.CalledProcessError) as error:
                    note = f"timm: {error} {str(getattr(error, 'stderr', '') or '')[-300:]}"
            times: dict[str, dict[int, list[float]]] = {case: {epochs: [] for epochs in EPOCHS} for case in runs}
            for _ in range(arguments.rounds):
                for epochs in EPOCHS:
                    for case, train in runs.items():
                        times[case][epochs].append(train(epochs))
            least = {case: line_of({n: min(values) for n, values in table.items()}) for case, table in times.items()}
            fixed = {case: line["fixed_cpu_s"] for case, line in least.items()}
            ratios = {case: round(fixed[case] / fixed["timm"], 2) for case in fixed} if "timm" in fixed else None
            keep("runs", precision="fp32", programs=least, ratios=ratios, not_run=note)
        if "run folder" not in done:
            keep("run folder", megabytes=folder_size(folder))
        if "first step" not in done:
            data = (arguments.data or folder / "shapes").absolute()
            keep("first step", data=data.name, **first_step(folder, data, arguments.rounds))


if __name__ == "__main__":
    main()
