"""Which images the rare classes of somebody's data lack."""

from collections import Counter

import numpy as np

from clf_cli.data.dataset import Dataset, survey_dataset
from clf_cli.engine.synth import SynthPlan, plan_like
from clf_cli.errors import UsageError
from clf_cli.settings.sections import DataSection, SynthSection
from clf_cli.values.progress import Progress, silent

TALLEST = 128  # pixels; a drawing has no more detail than that


def plan_for(section: SynthSection, data: DataSection, seed: int, progress: Progress = silent) -> SynthPlan:
    """The plan for the rare train classes of `section.like`, as tall as its images are; `data` and `seed` split it.

    The data are only counted, so a bad image, a label conflict or a broken line does not stop it. Raises UsageError
    without `like`, DataError when the data have no image, no rare class, or none that can be drawn.
    """
    if section.like is None:
        raise UsageError("No data to draw like.", "Name a folder with --like.")
    lenient = {
        "root": section.like,
        "subset": 1.0,
        "on_bad_image": "skip",
        "on_label_conflict": "keep",
        "on_unknown_class": "skip",
    }
    dataset = survey_dataset(data.model_copy(update=lenient), seed, progress=progress)
    return plan_like(section, train_counts(dataset), typical_heights(dataset))


def train_counts(dataset: Dataset) -> dict[str, int]:
    """Train images of each class; classes that only val or test have count 0."""
    elsewhere = dict.fromkeys((sample.label for sample in (*dataset.samples, *dataset.left_out)), 0)
    return elsewhere | Counter(sample.label for sample in dataset.split("train"))


def typical_heights(dataset: Dataset) -> tuple[int, ...]:
    """The percentiles of the train images' heights in pixels, at most TALLEST."""
    heights = [min(dataset.files[sample.path].height, TALLEST) for sample in dataset.split("train")]
    return tuple(int(height) for height in np.quantile(heights, np.linspace(0, 1, 101))) if heights else ()
