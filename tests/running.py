"""Running the program in tests: in this process, where torch is imported once, or in one of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from clf_cli.values.run_dir import RunDir
from clf_cli.values.run_record import RunRecord, Status

TORCH = ("torch", "torchvision", "timm", "lightning")  # what commands on an ONNX file do without
TINY_ARCH = "test_resnet"  # 0.5 M parameters
COLORS = {"blue": (40, 60, 200), "green": (40, 170, 60), "red": (200, 50, 40)}
SPLITS = {"train": 20, "val": 8, "test": 8}  # images per class


@dataclass(frozen=True)
class Finished:
    """What one `clf` command left behind."""

    code: int
    stdout: str
    stderr: str


Clf = Callable[..., Finished]


def train_arguments(data: Path, out: Path, name: str, *more: str) -> list[str]:
    """A training that takes seconds."""
    return [
        "train",
        *("--data", str(data), "--out", str(out), "--name", name),
        *("--arch", TINY_ARCH, "--no-pretrained", "--image-size", "32", "--epochs", "2", "--batch-size", "8"),
        *("--device", "cpu", "--threads", "1", "--workers", "0", "--precision", "fp32"),
        *more,
    ]


def start_clf(
    arguments: Sequence[str], cwd: Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """`clf` in a process of its own, for tests with signals and limits."""
    return subprocess.Popen(
        [sys.executable, "-m", "clf_cli", *arguments],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a group of its own, for signals to all of it
    )


def program_without(modules: Iterable[str], program: str) -> list[str]:
    """The command line of a Python in which importing one of the modules raises, and every warning is an error."""
    return [
        *(sys.executable, "-W", "error", "-c"),
        f"import sys; sys.modules.update(dict.fromkeys({sorted(modules)}))\n{program}",
    ]


def command_without(modules: Iterable[str], *arguments: object) -> list[str]:
    """The command line of a `clf` in which importing one of the modules raises."""
    program = "from clf_cli.__main__ import main; sys.exit(main(sys.argv[1:]))"
    return [*program_without(modules, program), *map(str, arguments)]


def clf_without(modules: Iterable[str], *arguments: object) -> Finished:
    """`clf` in a process of its own in which importing one of the modules raises."""
    command = command_without(modules, *arguments)
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False)
    return Finished(done.returncode, done.stdout, done.stderr)


def report_of(finished: Finished, code: int = 0) -> dict[str, Any]:
    """The report that a command printed with --json."""
    assert finished.code == code, finished.stderr
    assert "Traceback" not in finished.stderr
    report: dict[str, Any] = json.loads(finished.stdout)
    return report


def mark(run: RunDir, status: Status = "finished") -> None:
    """A run.json, for runs that no training made."""
    record = RunRecord("abc", ("clf", "train"), 0, "cpu", 1, 0, "fp32", "blake2b:0", status=status)
    run.run_json.write_text(json.dumps(record.to_json()))


def draw_discs(root: Path, splits: Mapping[str, int] = SPLITS, seed: int = 0) -> Path:
    """Three classes of discs on noise, told apart by colour, in folders."""
    rng = np.random.default_rng(seed)
    for split, count in splits.items():
        for name, color in COLORS.items():
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                draw_disc(color, rng).save(folder / f"{number:02d}.png")
    return root


def draw_disc(color: tuple[int, int, int], rng: np.random.Generator, side: int = 28) -> Image.Image:
    """A disc somewhere on grey noise."""
    image = Image.fromarray(rng.integers(60, 200, (side, side, 3), dtype=np.uint8))
    left, top = rng.integers(0, side // 3, 2).tolist()
    ImageDraw.Draw(image).ellipse((left, top, left + side // 2, top + side // 2), fill=color)
    return image
