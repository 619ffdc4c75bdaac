"""Batches: decoded, augmented and in an order that worker count, interruption and resumption do not change."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Sampler, default_collate
from torch.utils.data import Dataset as TorchDataset

from clf_cli.data.augment import augment_image
from clf_cli.data.dataset import Dataset
from clf_cli.data.images import UnreadableImageError, open_image
from clf_cli.data.knobs import Augment
from clf_cli.data.samplers import (
    IntArray,
    epoch_length,
    epoch_order,
    image_generator,
    occurrences,
    of_rank,
    targets_of,
)
from clf_cli.data.workers import patient, start_worker
from clf_cli.errors import DataError
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import EVAL_BATCH
from clf_cli.values.preprocess import Preprocess, normalize, resize

Item = tuple[Tensor, int, int]  # image (3, H, W), target, index of the sample in its split
Batch = tuple[Tensor, Tensor, Tensor]  # images (B, 3, H, W); targets (B,) int64; indices (B,) int64
Key = TypeVar("Key")

_HELD_BYTES = 4  # per pixel of an RGB image that Pillow holds


@dataclass(frozen=True)
class Loading:
    """How batches are made, and which of `world` processes this one is."""

    batch_size: int = EVAL_BATCH
    workers: int = 0  # processes that read; 0 reads in this one
    pin_memory: bool = False  # page-locked batches, for copies to a GPU
    memory_budget: int = 1 << 30  # bytes of decoded images that each reading process may keep
    timeout: float = 300  # seconds that the main process waits for a batch of a worker; 0 is for ever
    rank: int = 0
    world: int = 1


class Draw(NamedTuple):
    """One training image of one epoch: with the seed, the key of its random numbers."""

    image: int  # index in the train split
    epoch: int
    occurrence: int = 0  # earlier draws of the same image in this epoch


class TrainImages(TorchDataset[Item]):
    """The train split, augmented: uint8 image, target and index for a Draw.

    Decoded images are kept after the first read when those of the whole split fit into `budget` bytes.
    """

    def __init__(self, dataset: Dataset, preprocess: Preprocess, augment: Augment, seed: int, budget: int) -> None:
        samples = dataset.split("train")
        self.root = dataset.root
        self.paths = tuple(sample.path for sample in samples)
        self.targets = targets_of(samples, dataset.labels)
        self.preprocess = preprocess
        self.augment = augment
        self.seed = seed
        facts = [dataset.files[path] for path in set(self.paths)]
        size = sum(fact.width * fact.height for fact in facts) * _HELD_BYTES
        self.keeps = size <= budget
        self.held = size if self.keeps else 0  # bytes, once every image was read
        self.kept: dict[str, Image.Image] = {}

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, draw: Draw) -> Item:
        rng = image_generator(self.seed, draw.epoch, draw.image, draw.occurrence)
        pixels = augment_image(self._image(self.paths[draw.image]), self.preprocess, self.augment, rng)
        image = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
        return image, int(self.targets[draw.image]), draw.image

    def __getitems__(self, draws: Sequence[Draw]) -> list[Item] | DataError:
        return _gather(self.__getitem__, draws)

    def _image(self, path: str) -> Image.Image:
        if path in self.kept:
            return self.kept[path]
        image = _read(self.root, path)
        if self.keeps:
            self.kept[path] = Image.new("RGB", image.size)  # without the file's metadata
            self.kept[path].paste(image)
        return image


class EvalImages(TorchDataset[Item]):
    """A split as every score sees it: float32 image of `preprocess_image`, target and index.

    `labels` are the model's; the split's samples must be of its classes. Resized pixels are kept after the first read
    when those of the whole split fit into `budget` bytes.
    """

    def __init__(self, dataset: Dataset, split: str, preprocess: Preprocess, labels: Labels, budget: int) -> None:
        samples = dataset.split(split)
        self.root = dataset.root
        self.paths = tuple(sample.path for sample in samples)
        self.targets = targets_of(samples, labels)
        self.preprocess = preprocess
        size = len(set(self.paths)) * preprocess.height * preprocess.width * 3
        self.keeps = size <= budget
        self.held = size if self.keeps else 0  # bytes, once every image was read
        self.kept: dict[str, npt.NDArray[np.uint8]] = {}

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Item:
        image = torch.from_numpy(normalize(self._pixels(self.paths[index]), self.preprocess))
        return image, int(self.targets[index]), index

    def __getitems__(self, indices: Sequence[int]) -> list[Item] | DataError:
        return _gather(self.__getitem__, indices)

    def _pixels(self, path: str) -> npt.NDArray[np.uint8]:
        if path in self.kept:
            return self.kept[path]
        pixels = resize(_read(self.root, path), self.preprocess)
        if self.keeps:
            self.kept[path] = pixels
        return pixels


class EpochSampler(Sampler[Draw]):
    """The draws of one epoch, a pure function of seed and epoch (which counts from 0).

    Every train image once, or, when `balanced`, as many draws with replacement in which every class is equally likely.
    A last batch of one image is left out; the epoch's order decides which image that is.
    """

    def __init__(self, targets: IntArray, loading: Loading, seed: int, balanced: bool) -> None:
        self.targets = targets
        self.loading = loading
        self.seed = seed
        self.balanced = balanced
        self.epoch = 0
        self.skip = 0  # batches at the start that the next iteration leaves out, once

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def order(self) -> IntArray:
        """Indices that this process draws in the current epoch."""
        return of_rank(self._whole_order(), self.loading.rank, self.loading.world)[: len(self)]

    def __len__(self) -> int:
        return epoch_length(len(self.targets) // self.loading.world, self.loading.batch_size)

    def __iter__(self) -> Iterator[Draw]:
        earlier = of_rank(occurrences(self._whole_order()), self.loading.rank, self.loading.world)
        start, self.skip = self.skip * self.loading.batch_size, 0
        pairs = zip(self.order().tolist(), earlier.tolist(), strict=False)
        draws = [Draw(index, self.epoch, occurrence) for index, occurrence in pairs]
        return iter(draws[start:])

    def _whole_order(self) -> IntArray:
        return epoch_order(self.targets, self.seed, self.epoch, self.balanced)


class ImageLoader(DataLoader[Item]):
    """Batches of `images`; a file that cannot be read raises its DataError here, from any worker.

    Draws nothing from the global random state.
    """

    def __init__(
        self, images: TrainImages | EvalImages, sampler: Sampler[Draw] | Sequence[int], loading: Loading
    ) -> None:
        self.paths = images.paths
        self.held = images.held * max(1, loading.workers)  # bytes: each reading process keeps its own
        super().__init__(
            images,
            batch_size=loading.batch_size,
            sampler=sampler,
            num_workers=loading.workers,
            persistent_workers=loading.workers > 0,
            pin_memory=loading.pin_memory,
            collate_fn=_collate,
            worker_init_fn=start_worker,
            timeout=loading.timeout if loading.workers else 0,
            generator=torch.Generator(),
        )

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]  # a generator: nothing is read before the first batch
        read = super().__iter__
        for batch in patient(read, self, self._paths_of) if self.num_workers else read():
            if isinstance(batch, DataError):
                raise batch
            yield batch

    def _paths_of(self, batch: int) -> list[str]:
        """Paths of the images of a batch of this iteration, counted from 0."""
        assert self.batch_size is not None
        start = batch * self.batch_size
        return [self.paths[index] for index in self._order()[start : start + self.batch_size]]

    def _order(self) -> list[int]:
        """Indices of the images of this iteration."""
        return list(self.sampler)


class ResumableLoader(ImageLoader):
    """Training batches that can stop after any batch and go on with the next one, without reading those before it.

    Lightning stores and restores `state_dict` with the run, and calls `sampler.set_epoch`.
    """

    def __init__(self, images: TrainImages, draws: EpochSampler, loading: Loading) -> None:
        super().__init__(images, draws, loading)
        self.draws = draws
        self.done = 0  # batches of the current epoch that were handed out
        self._resume_at = 0
        self._started_at = 0

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        self.done = self.draws.skip = self._started_at = self._resume_at
        self._resume_at = 0
        for batch in super().__iter__():
            self.done += 1
            yield batch

    def _order(self) -> list[int]:
        order: list[int] = self.draws.order().tolist()
        return order[self._started_at * self.draws.loading.batch_size :]

    def state_dict(self) -> dict[str, int]:
        return {"batches": self.done, "epoch": self.draws.epoch}

    def load_state_dict(self, state: dict[str, int]) -> None:
        finished = state["batches"] >= len(self)
        self._resume_at = 0 if finished else state["batches"]
        self.done = state["batches"]  # a run that only validates, and saves again, hands out none
        self.draws.set_epoch(state["epoch"] + finished)


def train_loader(
    dataset: Dataset, preprocess: Preprocess, augment: Augment, loading: Loading, seed: int, balanced: bool = False
) -> ResumableLoader:
    """Augmented uint8 batches of the train split; normalising them is the training step's work."""
    images = TrainImages(dataset, preprocess, augment, seed, loading.memory_budget)
    return ResumableLoader(images, EpochSampler(images.targets, loading, seed, balanced), loading)


def eval_loader(dataset: Dataset, split: str, preprocess: Preprocess, labels: Labels, loading: Loading) -> ImageLoader:
    """Normalised float32 batches of a split, in its order; of several processes each takes its share, unpadded."""
    images = EvalImages(dataset, split, preprocess, labels, loading.memory_budget)
    return ImageLoader(images, range(loading.rank, len(images), loading.world), loading)


def _read(root: Path, path: str) -> Image.Image:
    """Raises DataError: the scan has read every file, so one that fails now was changed since."""
    try:
        return open_image(root / path)
    except UnreadableImageError as error:
        raise DataError(
            f"Cannot read {path} any more: {error}.",
            f"It was readable when the work began: restore it in {root}, then continue with --resume or start again.",
        ) from error


def _gather(read: Callable[[Key], Item], keys: Sequence[Key]) -> list[Item] | DataError:
    """The error as a value: raised in a worker it would arrive as the text of a traceback, without its hint."""
    try:
        return [read(key) for key in keys]
    except DataError as error:
        return error


def _collate(items: list[Item] | DataError) -> Batch | DataError:
    if isinstance(items, DataError):
        return items
    images, targets, indices = default_collate(items)
    return images, targets, indices
