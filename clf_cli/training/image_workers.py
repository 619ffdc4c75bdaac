"""`--workers auto` of a training run: from the cores, what reading and drawing an image takes, and what is kept."""

from dataclasses import replace

import numpy as np

from clf_cli.data.dataset import Dataset
from clf_cli.data.knobs import Augment, resolve_augment
from clf_cli.models.compute import Compute, available_cores, resolve_compute
from clf_cli.settings.sections import ComputeSection
from clf_cli.training.image_cache import gpu_bytes, gpu_free, image_bytes, lives_on_gpu, resolve_cache
from clf_cli.training.start import Start
from clf_cli.values.preprocess import Preprocess

# Nanoseconds of a core, measured by benchmarks/data_path.py and, of a step, on networks of 11 to 68 ms an image.
DECODE = 4  # for each pixel of a JPEG file
DRAW, DRAW_WORSE = 4, 20  # for each pixel of the input; with what a CPU alone draws, such as JPEG artefacts
STEP = 500  # for each pixel of the input: a light network's, so that heavier ones wait for nothing
MOST = 8  # beside a CPU that trains
MOST_ON_GPU = 16


def with_workers(start: Start) -> Start:
    """The same start, with as many workers as fit what this run reads in the place of `auto`, and a line that says so.

    What is left of the cores goes to the math. Raises RunError (exit 6) for a --cache that has no room.
    """
    section = start.settings.compute
    if section.workers != "auto":
        return start
    count, why = _decided(start, available_cores())
    found, _ = resolve_compute(section.model_copy(update={"workers": count}))
    return replace(
        start,
        compute=replace(start.compute, threads=found.threads, workers=found.workers),
        record=replace(start.record, threads=found.threads, workers=found.workers),
        notes=(*start.notes, f"--workers auto: {found.workers}, for {why}."),
    )


def workers_again(compute: Compute, section: ComputeSection, recorded: int) -> Compute:
    """With the workers of a run that goes on, as far as the cores here reach; those that are asked for stay."""
    if section.workers != "auto":
        return compute
    return replace(compute, workers=min(recorded, max(0, available_cores() - compute.threads)))


def workers_beside(cores: int, share: float, *, kept: bool) -> int:
    """Of `cores` that train on a CPU: as many as make images as fast as the others use them.

    `share` is the time that an image takes to make, of what a core takes to train with it. Where images are not kept,
    at least one waits for the disk.
    """
    if cores <= 2:
        return 0
    count = min(MOST, cores // 2, round(cores * share / (1 + share)))
    return count if kept else max(1, count)


def share_of_images(dataset: Dataset, preprocess: Preprocess, augment: Augment, *, kept: bool) -> float:
    """Time to make a training image, read again unless `kept`, over what a light network's step takes with it."""
    inputs = preprocess.width * preprocess.height
    draw = DRAW_WORSE if augment.only_on_cpu else DRAW
    files = [dataset.files[sample.path] for sample in dataset.split("train")]
    pixels = float(np.mean([facts.width * facts.height for facts in files])) if files and not kept else 0.0
    return (draw + DECODE * pixels / inputs) / STEP


def _decided(start: Start, cores: int) -> tuple[int, str]:
    settings, dataset, device = start.settings, start.dataset, start.compute.device
    augment, asked = resolve_augment(settings.augment, dataset.labels), settings.compute.cache
    validates = settings.train.val and bool(dataset.split("val"))
    if device.startswith("cuda"):
        needed = gpu_bytes(dataset, start.preprocess, augment, validates)
        if lives_on_gpu(asked, device, augment, needed, gpu_free(device)):
            return 0, "the images live on the GPU"
    if cores <= 2:
        return 0, f"this process has {cores} core{'' if cores == 1 else 's'}"
    if device != "cpu":
        return min(MOST_ON_GPU, cores - 1), f"{cores} cores make images for {device}"
    kept = resolve_cache(asked, image_bytes(dataset, start.preprocess, augment, validates), workers=0)[0] != "none"
    share = share_of_images(dataset, start.preprocess, augment, kept=kept)
    count = workers_beside(cores, share, kept=kept)
    if not kept:
        return count, f"every epoch reads the files, about {share:.0%} of a light network's step"
    if count:
        return count, f"drawing the images takes about {share:.0%} of a light network's step"
    return 0, "decoded images are kept, and the cores train"
