"""What an export works with: the settings, and the images that it compares, scores and calibrates on."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from clf_cli.data.dataset import Dataset
from clf_cli.data.images import UnreadableImageError, open_image
from clf_cli.data.samples import Sample
from clf_cli.engine.onnx_golden import GoldenImage
from clf_cli.models.compute import Compute
from clf_cli.settings.onnx_sections import ExportSection, VariantSection
from clf_cli.values.predictions import Predictions
from clf_cli.values.preprocess import InputArray, Preprocess, preprocess_image


@dataclass(frozen=True)
class ExportImages:
    """Where images come from. Without a data set `missing` says why, and `stored` are those of older golden samples."""

    dataset: Dataset | None = None
    seen: Predictions | None = None  # what torch said of val or train, where training still knows it
    stored: tuple[GoldenImage, ...] = ()
    workers: int = 1
    missing: str | None = None  # a sentence

    @property
    def split(self) -> str:
        """The split that the file is held against: val, else test, else train."""
        dataset = self.dataset
        return "train" if dataset is None else next((n for n in ("val", "test") if dataset.split(n)), "train")

    def inputs(self, preprocess: Preprocess, count: int) -> InputArray | None:
        """(n, ...) of up to `count` images of the split, spread evenly; None where there are none."""
        if self.dataset is None:
            return None
        return inputs_of(self.dataset, spread(self.dataset.split(self.split), count), preprocess)


@dataclass(frozen=True)
class ExportPlan:
    """How a checkpoint becomes a file."""

    compute: Compute
    export: ExportSection = field(default_factory=ExportSection)
    variant: VariantSection = field(default_factory=VariantSection)
    images: ExportImages = field(default_factory=ExportImages)


def inputs_of(dataset: Dataset, samples: Sequence[Sample], preprocess: Preprocess) -> InputArray | None:
    """(n, ...) of the samples that can be read; None where none can."""
    found = []
    for sample in samples:
        try:
            found.append(preprocess_image(open_image(dataset.root / sample.path), preprocess))
        except UnreadableImageError:
            continue  # scoring the split names it
    return np.stack(found) if found else None


def spread(samples: Sequence[Sample], count: int) -> tuple[Sample, ...]:
    """Up to `count` of them, at even distances."""
    if len(samples) <= count:
        return tuple(samples)
    return tuple(samples[position] for position in np.linspace(0, len(samples) - 1, count).round().astype(int))
