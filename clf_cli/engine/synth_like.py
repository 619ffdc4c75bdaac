"""Which images the rare classes of somebody's data lack."""

from collections import Counter

from clf_cli.data.dataset import load_dataset
from clf_cli.engine.synth import SynthPlan, plan_like
from clf_cli.errors import UsageError
from clf_cli.settings.sections import DataSection, SynthSection
from clf_cli.values.progress import Progress, silent

TALLEST = 128  # pixels; a drawing has no more detail than that


def plan_for(section: SynthSection, data: DataSection, seed: int, progress: Progress = silent) -> SynthPlan:
    """The plan for the rare train classes of `section.like`, as tall as its images are; `data` and `seed` split it.

    The data are only counted here, so unreadable files and labels that conflict do not stop it. Raises UsageError
    without `like`, DataError when the data cannot be used or have no rare class.
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
    dataset = load_dataset(data.model_copy(update=lenient), seed, progress=progress)
    train = dataset.split("train")
    heights = sorted({min(dataset.files[sample.path].height, TALLEST) for sample in train})
    return plan_like(section, Counter(sample.label for sample in train), tuple(heights))
