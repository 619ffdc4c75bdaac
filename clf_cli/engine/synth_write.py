"""Draws a plan and writes it in the JSONL layout: a folder that is there whole or not at all."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clf_cli.engine.synth import SynthPlan, SynthResult
from clf_cli.engine.synth_draw import draw_jersey
from clf_cli.errors import UsageError
from clf_cli.files import unwritable
from clf_cli.values.progress import Advance, Progress, silent

FOLDERS = {"train": "train", "val": "valid", "test": "test"}
PREFIX = "Read the number."
QUALITY = 92  # of the files; the artefacts of the broadcast are in the pixels already


@dataclass(frozen=True)
class Shot:
    """One image to draw: `number` counts the images of its class in its plan."""

    label: str
    number: int


def write_synth(plan: SynthPlan, out: Path, seed: int, progress: Progress = silent) -> SynthResult:
    """Writes `out/{train,valid,test}/annotations.jsonl` and the JPEGs beside them; equal seeds give equal bytes.

    Raises UsageError when `out` exists or lies inside the data that the plan was made for, RunError when it cannot be
    written.
    """
    check_out(out, Path(plan.like) if plan.like is not None else None)
    with progress("Drawing", plan.images) as advance, _whole_folder(out) as folder:
        for split, shots in shots_of(plan, seed).items():
            _write_split(folder / FOLDERS[split], shots, (seed, plan.stream), plan.heights, advance)
    return SynthResult(plan, out.as_posix(), seed)


def check_out(out: Path, like: Path | None) -> None:
    """Raises UsageError when `out` may not be written."""
    if out.is_symlink() or out.exists():
        raise UsageError(f"{out} exists already.", "Name a new folder with --out, or remove that one first.")
    if like is not None and out.resolve().is_relative_to(like.resolve()):
        raise UsageError(
            f"{out} lies inside {like}, and nothing is ever written into a data folder.",
            "Name a folder outside it with --out.",
        )


def shots_of(plan: SynthPlan, seed: int) -> dict[str, list[Shot]]:
    """The images of each split in the order of their files: mixed, as a person would label them."""
    rng = np.random.default_rng((seed, 2 + plan.stream))
    taken = dict.fromkeys((label for split in plan.counts.values() for label in split), 0)
    shots: dict[str, list[Shot]] = {}
    for split, counts in plan.counts.items():
        listed = [Shot(label, taken[label] + index) for label in sorted(counts) for index in range(counts[label])]
        for label, count in counts.items():
            taken[label] += count
        shots[split] = [listed[index] for index in rng.permutation(len(listed))]
    return shots


def _write_split(
    folder: Path, shots: list[Shot], seed: tuple[int, int], heights: tuple[int, ...], advance: Advance
) -> None:
    folder.mkdir()
    lines = []
    for index, shot in enumerate(shots):
        name = f"{folder.name}_{index:05d}.jpg"
        code = int.from_bytes(b"\1" + shot.label.encode(), "big")
        image, metadata = draw_jersey(shot.label, np.random.default_rng((*seed, code, shot.number)), heights)
        image.save(folder / name, "JPEG", quality=QUALITY, subsampling=0)
        lines.append({"image": name, "prefix": PREFIX, "suffix": shot.label, "metadata": metadata})
        advance(1)
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (folder / "annotations.jsonl").write_bytes(text.encode())


@contextmanager
def _whole_folder(out: Path) -> Iterator[Path]:
    """A temporary folder beside `out` that takes its name at the end, and is removed when the block fails."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".clf-part", dir=out.parent))
    except OSError as error:
        raise unwritable(out, error) from error
    try:
        yield folder
        folder.chmod(0o755)
        check_out(out, None)
        folder.rename(out)
    except OSError as error:
        raise unwritable(out, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
