"""What a run feeds on: loaders of both splits and what is known of their images."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clf_cli.data.dataset import Dataset
from clf_cli.data.knobs import resolve_augment
from clf_cli.data.loaders import ImageLoader, ResumableLoader
from clf_cli.data.samplers import epoch_length, targets_of
from clf_cli.engine.sampler import loss_weights, sampler_report
from clf_cli.engine.thumbnails import thumbnails
from clf_cli.settings.sections import OptimSection
from clf_cli.training.image_loaders import image_loaders
from clf_cli.training.scores import ValImages
from clf_cli.training.start import Start
from clf_cli.values.preprocess import Preprocess
from clf_cli.values.report import FindingJson, Report


@dataclass(frozen=True)
class Feed:
    """`class_weights` (C,) are the loss's, where it balances; `val` and `val_loader` are None without validation."""

    dataset: Dataset
    preprocess: Preprocess
    train_loader: ResumableLoader
    val_loader: ImageLoader | None
    val: ValImages | None
    class_weights: tuple[float, ...] | None
    optim: OptimSection
    seed: int
    notes: tuple[str, ...]

    @property
    def train_paths(self) -> tuple[str, ...]:
        return tuple(sample.path for sample in self.dataset.split("train"))

    @property
    def images(self) -> int:
        """Training images of an epoch."""
        return len(self.train_loader.draws)

    def drawn(self, epoch: int) -> Report:
        """What the sampler draws in an epoch (from 0) against what it draws on average."""
        return sampler_report(self.dataset, self.optim, self.seed, epoch + 1)

    def thumbnails(self, paths: Sequence[str]) -> list[npt.NDArray[np.uint8]]:
        """(H, W, 3) pixels of each image as the network sees them."""
        return thumbnails(self.dataset.root, paths, self.preprocess)


def build_feed(start: Start) -> Feed:
    """Loaders and facts of a run's images."""
    settings, dataset, labels = start.settings, start.dataset, start.dataset.labels
    augment = resolve_augment(settings.augment, labels)
    seed, optim = settings.compute.seed, settings.optim
    validates = settings.train.val and bool(dataset.split("val"))
    train, val, told = image_loaders(start, augment, validates)
    weights = loss_weights(targets_of(dataset.split("train"), labels), len(labels), optim)
    twice = sampler_report(dataset, optim, seed, epoch=1).findings
    return Feed(
        dataset=dataset,
        preprocess=start.preprocess,
        train_loader=train,
        val_loader=val,
        val=val_images(dataset) if validates else None,
        class_weights=None if weights is None else tuple(weights.tolist()),
        optim=optim,
        seed=seed,
        notes=(
            *([told] if told else []),
            *augment.notes,
            *batch_notes(len(dataset.split("train")), optim),
            *_warnings(twice),
        ),
    )


def _warnings(findings: Iterable[FindingJson]) -> tuple[str, ...]:
    return tuple(f"Warning: {finding['reason']}." for finding in findings)


def batch_notes(images: int, optim: OptimSection) -> tuple[str, ...]:
    """What is unusual about the batches of an epoch, one line each."""
    size = optim.images_per_batch
    drawn = epoch_length(images, size)
    batches = math.ceil(drawn / size)
    notes = []
    if drawn < images:
        notes.append(
            f"The last batch of an epoch would hold one image, from which batch normalisation cannot learn: each epoch "
            f"leaves one of the {images} train images out, another one each time."
        )
    if optim.accumulate > batches:
        notes.append(
            f"An epoch has fewer batches ({batches}) than --accumulate {optim.accumulate}: it is one step of "
            f"{drawn} images, and its gradient is divided by {optim.accumulate}."
        )
    return tuple(notes)


def val_images(dataset: Dataset) -> ValImages:
    """The val split in the order in which it is scored."""
    samples = dataset.split("val")
    targets = targets_of(samples, dataset.labels)
    return ValImages(
        paths=tuple(sample.path for sample in samples),
        targets=tuple(targets.tolist()),
        labels=dataset.labels,
        skipped=dataset.skipped_in("val"),
    )
