"""What training images look like after augmentation: the very pixels that the training loader hands out."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from clf_cli.data.augment import Keys, augment_batch
from clf_cli.data.canvas import read_canvas
from clf_cli.data.dataset import Dataset
from clf_cli.data.knobs import Augment, resolve_augment
from clf_cli.data.samplers import epoch_order, targets_of
from clf_cli.engine.samples import choose_samples
from clf_cli.engine.thumbnails import Pixels, readable_image
from clf_cli.settings.sections import AugmentSection
from clf_cli.values.preprocess import Preprocess, resize

EPOCHS = 5  # that are drawn of each image


@dataclass(frozen=True)
class AugmentedImage:
    """An image of the train split and its place there."""

    path: str
    label: str
    index: int


@dataclass(frozen=True)
class AugmentedResult:
    """A few train images as epochs 1 to `epochs` of a run with that seed see them."""

    kind: ClassVar[str] = "augmented"

    augment: Augment
    mixup: float  # these two mix images of a batch with each other, which no single image shows
    cutmix: float
    seed: int
    epochs: int
    images: tuple[AugmentedImage, ...]

    @property
    def knobs(self) -> dict[str, Any]:
        """What the preset came to, knob by knob."""
        return {key: value for key, value in asdict(self.augment).items() if key not in ("preset", "notes")}

    def to_result(self) -> dict[str, Any]:
        return {
            "preset": self.augment.preset,
            "settings": {**self.knobs, "mixup": self.mixup, "cutmix": self.cutmix},
            "seed": self.seed,
            "epochs": self.epochs,
            "images": [{"path": image.path, "label": image.label} for image in self.images],
        }


def augmented(dataset: Dataset, section: AugmentSection, seed: int, count: int) -> AugmentedResult:
    """At most `count` images of the train split, spread over its classes; the section as training resolves it.

    Raises DataError (exit 3) when there are no train images.
    """
    rows = dataset.need("train")
    paths = tuple(row.path for row in rows)
    chosen = choose_samples(paths, targets_of(rows, dataset.labels), dataset.labels, count, seed=0)
    images = tuple(AugmentedImage(paths[index], rows[index].label, index) for index in chosen.tolist())
    augment = resolve_augment(section, dataset.labels)
    return AugmentedResult(augment, section.mixup, section.cutmix, seed, EPOCHS, images)


def augmented_pixels(dataset: Dataset, result: AugmentedResult, preprocess: Preprocess) -> list[list[Pixels]]:
    """For each image its pixels without augmentation, as the network sees them in evaluation, then those of each epoch.

    Raises DataError (exit 3) for a file that cannot be read.
    """
    rows: list[list[Pixels]] = []
    augment, targets = result.augment, targets_of(dataset.split("train"), dataset.labels)
    orders = [epoch_order(targets, result.seed, epoch, balanced=False).tolist() for epoch in range(result.epochs)]
    for shown in result.images:
        facts = dataset.files[shown.path]
        original = np.asarray(resize(readable_image(dataset.root, shown.path), preprocess))
        canvas = read_canvas(dataset.root, shown.path, facts, preprocess, augment)
        drawn = np.empty((result.epochs, preprocess.height, preprocess.width, 3), np.uint8)
        for epoch, order in enumerate(orders):
            keys = Keys(result.seed, epoch, [order.index(shown.index)])
            out = drawn[epoch : epoch + 1]
            augment_batch([canvas], [(facts.width, facts.height)], keys, preprocess, augment, out)
        rows.append([original, *drawn])
    return rows
