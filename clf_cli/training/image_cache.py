"""Where a run keeps its decoded images between epochs: what `--cache` comes to on this machine."""

from multiprocessing import get_start_method
from typing import Literal

import numpy as np

from clf_cli.data.dataset import Dataset
from clf_cli.data.knobs import Augment
from clf_cli.data.placement import canvas_sizes
from clf_cli.data.store import Kept, canvas_folder, disk_room
from clf_cli.errors import RunError, UsageError
from clf_cli.training.room import memory_left
from clf_cli.values.preprocess import Preprocess

SHARE = 0.5  # of the free memory that auto takes; the rest is the network's, and other people's
UNKNOWN = 2 * 2**30  # bytes that auto takes where nothing says how much memory is free

Asked = Literal["auto", "ram", "disk", "gpu", "none"]


def require_drawable(asked: Asked, device: str, augment: Augment) -> None:
    """Raises UsageError (exit 2) for images that are asked to live on a GPU, and cannot be augmented there."""
    if asked != "gpu":
        return
    if not device.startswith("cuda"):
        raise UsageError(
            f"--cache gpu needs a GPU of NVIDIA's, and this run computes on {device}.", "Take --cache auto."
        )
    if augment.only_on_cpu:
        knobs = ", ".join(augment.only_on_cpu)
        raise UsageError(
            f"--cache gpu: a CPU alone draws what --augment {augment.preset} asks for ({knobs}).",
            "Take --cache auto, or --augment basic.",
        )


def lives_on_gpu(asked: Asked, device: str, augment: Augment, needed: int, free: int) -> bool:
    """Whether `needed` bytes of images go onto the device, which has `free`. Raises RunError (exit 6) where they were
    asked to and do not fit."""
    if asked == "gpu" and needed > free:
        raise RunError(
            f"--cache gpu: the images take {megabytes(needed)}, and {device} has {megabytes(free)} free.",
            "--cache auto takes what there is room for.",
        )
    auto = asked == "auto" and device.startswith("cuda") and not augment.only_on_cpu and needed <= SHARE * free
    return asked == "gpu" or auto


def gpu_free(device: str) -> int:
    """Bytes of its memory."""
    import torch  # only where there is a GPU

    return int(torch.cuda.mem_get_info(device)[0])


def gpu_bytes(dataset: Dataset, preprocess: Preprocess, augment: Augment, validates: bool) -> int:
    """On a GPU all canvases are as large as the largest."""
    train = [dataset.files[sample.path] for sample in dataset.split("train")]
    sides = canvas_sizes([(facts.width, facts.height) for facts in train], preprocess, augment)
    val = len(dataset.split("val")) * preprocess.height * preprocess.width * 3
    return len(sides) * int(sides.max(axis=0).prod()) * 3 + val * validates


def resolve_cache(asked: Asked, needed: int, workers: int, free: int | None = None) -> tuple[Kept, str]:
    """Where `needed` bytes of images go, and a line that says so; `free` memory defaults to what this machine has.

    Raises RunError (exit 6) where memory was asked for and cannot hold them; a file says so when it is opened.
    """
    free = memory_left() if free is None else free
    copies = workers if workers and get_start_method() != "fork" else 1  # forks share
    room, wanted = (UNKNOWN if free is None else free), needed * copies
    if asked == "ram" and wanted > room and free is not None:
        raise RunError(
            f"--cache ram: the images take {megabytes(wanted)}, and {megabytes(room)} of memory are free.",
            "--cache auto takes what there is room for; --cache disk keeps them in a file.",
        )
    if asked == "ram" or asked == "disk" or asked == "none":  # noqa: PLR1714  # a tuple narrows no type
        return asked, ""
    if wanted <= SHARE * room:
        return "ram", f"--cache auto: ram, {megabytes(wanted)} of images."
    on_disk = disk_room()
    why = f"the images take {megabytes(wanted)} of {megabytes(room)} of memory"
    if needed <= SHARE * on_disk:
        return "disk", f"--cache auto: disk, for {why}; {megabytes(needed)} in {canvas_folder()}."
    return (
        "none",
        f"--cache auto: none, for {why}, and the disk has {megabytes(on_disk)} for them. Each epoch reads all files.",
    )


def image_bytes(dataset: Dataset, preprocess: Preprocess, augment: Augment, validates: bool) -> int:
    """What the train split's canvases and the val split's pixels take."""
    paths = {sample.path for sample in dataset.split("train")}
    sizes = np.array([(dataset.files[path].width, dataset.files[path].height) for path in paths]).reshape(-1, 2)
    train = int(canvas_sizes(sizes, preprocess, augment).prod(axis=1).sum()) * 3
    val = len({sample.path for sample in dataset.split("val")}) * preprocess.height * preprocess.width * 3
    return train + val * validates


def megabytes(size: int) -> str:
    """For a person."""
    return f"{size / 1e6:,.1f} MB"
