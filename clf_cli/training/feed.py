"""What a run feeds on: loaders of both splits and what is known of their images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clf_cli.data.augment import resolve_augment
from clf_cli.data.dataset import Dataset
from clf_cli.data.images import open_image
from clf_cli.data.loaders import (
    EpochSampler,
    ImageLoader,
    Loading,
    ResumableLoader,
    eval_loader,
    targets_of,
    train_loader,
)
from clf_cli.data.samplers import class_weights, drawn_counts, expected_counts
from clf_cli.engine.sampler import SamplerResult, sampler_report
from clf_cli.training.scores import ValImages
from clf_cli.training.start import Start
from clf_cli.values.predictions import EVAL_BATCH
from clf_cli.values.preprocess import Preprocess, resize


@dataclass(frozen=True)
class Feed:
    """`class_weights` (C,) are the loss's, where it balances; `val` and `val_loader` are None without validation."""

    dataset: Dataset
    preprocess: Preprocess
    train_loader: ResumableLoader
    val_loader: ImageLoader | None
    val: ValImages | None
    class_weights: tuple[float, ...] | None
    balanced: bool
    seed: int
    notes: tuple[str, ...]

    @property
    def train_paths(self) -> tuple[str, ...]:
        return tuple(sample.path for sample in self.dataset.split("train"))

    @property
    def images(self) -> int:
        """Training images of an epoch."""
        return len(self.train_loader.draws)

    def drawn(self, epoch: int) -> SamplerResult:
        """What the sampler drew in an epoch (from 0) against what it draws on average."""
        labels = self.dataset.labels
        targets = targets_of(self.dataset.split("train"), labels)
        draws = EpochSampler(targets, self.train_loader.draws.loading, self.seed, self.balanced)
        draws.set_epoch(epoch)
        order = draws.order()
        return sampler_report(
            drawn=drawn_counts(order, targets, len(labels)),
            expected=expected_counts(targets, len(labels), len(order), self.balanced),
            labels=labels,
            epoch=epoch + 1,
            loss_weights=None if self.class_weights is None else np.array(self.class_weights),
        )

    def thumbnails(self, paths: Sequence[str]) -> list[npt.NDArray[np.uint8]]:
        """(H, W, 3) pixels of each image as the network sees them."""
        return [resize(open_image(self.dataset.root / path), self.preprocess) for path in paths]


def build_feed(start: Start) -> Feed:
    """Loaders and facts of a run's images."""
    settings, dataset, labels = start.settings, start.dataset, start.dataset.labels
    augment = resolve_augment(settings.augment, labels)
    balance = settings.optim.balance
    pin = start.compute.device.startswith("cuda")
    loading = Loading(settings.optim.batch_size, start.compute.workers, pin)
    balanced = balance in ("sampler", "both")
    loader = train_loader(dataset, start.preprocess, augment, loading, settings.compute.seed, balanced)
    weights = None
    if balance in ("loss", "both"):
        counts = np.bincount(targets_of(dataset.split("train"), labels), minlength=len(labels))
        weights = tuple(class_weights(counts).tolist())
    validates = settings.train.val and bool(dataset.split("val"))
    val_loading = Loading(EVAL_BATCH, start.compute.workers, pin)
    return Feed(
        dataset=dataset,
        preprocess=start.preprocess,
        train_loader=loader,
        val_loader=eval_loader(dataset, "val", start.preprocess, labels, val_loading) if validates else None,
        val=val_images(dataset) if validates else None,
        class_weights=weights,
        balanced=balanced,
        seed=settings.compute.seed,
        notes=augment.notes,
    )


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
