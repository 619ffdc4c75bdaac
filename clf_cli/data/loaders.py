"""Batches: decoded, augmented and in an order that worker count, interruption and resumption do not change."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_start_method

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler, get_worker_info
from torch.utils.data import Dataset as TorchDataset

from clf_cli.data.augment import Keys, augment_batch
from clf_cli.data.dataset import Dataset
from clf_cli.data.draws import Draw
from clf_cli.data.knobs import Augment
from clf_cli.data.samplers import IntArray, epoch_length, epoch_order, of_rank, targets_of
from clf_cli.data.sources import Sources
from clf_cli.data.store import Keeping, Kept, Place
from clf_cli.data.workers import patient, start_worker
from clf_cli.errors import DataError
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import EVAL_BATCH
from clf_cli.values.preprocess import Preprocess

Item = tuple[Tensor, int, int]  # image (3, H, W), target, index of the sample in its split
Batch = tuple[Tensor, Tensor, Tensor]  # images (B, 3, H, W); targets (B,) int64; indices (B,) int64


@dataclass(frozen=True)
class Loading:
    """How batches are made, and which of `world` processes this one is."""

    batch_size: int = EVAL_BATCH
    workers: int = 0  # processes that read; 0 reads in this one
    pin_memory: bool = False  # page-locked batches, for copies to a GPU
    cache: Kept = "ram"  # where decoded images are kept for later epochs
    readers: int = 1  # threads of this process that read a batch's files, where there are no workers
    timeout: float = 300  # seconds that the main process waits for a batch of a worker; 0 is for ever
    rank: int = 0
    world: int = 1

    @property
    def keeping(self) -> Keeping:
        return Keeping(self.cache, shared=self.workers > 0, readers=1 if self.workers else self.readers)


class TrainImages(TorchDataset[Item]):
    """The train split, augmented: batches of uint8 images, targets and indices for Draws of one epoch.

    Each source is read once, and its canvas (data/placement.py) kept.
    """

    def __init__(self, dataset: Dataset, preprocess: Preprocess, augment: Augment, seed: int, keeping: Keeping) -> None:
        samples = dataset.split("train")
        self.paths = tuple(sample.path for sample in samples)
        self.targets = targets_of(samples, dataset.labels)
        self.preprocess = preprocess
        self.augment = augment
        self.seed = seed
        self.sources = Sources(dataset, self.paths, preprocess, augment, keeping)
        self.sizes = np.array([self.sources.size(path) for path in self.paths]).reshape(-1, 2)

    @property
    def kept(self) -> tuple[Place, int]:
        """Where decoded images are between epochs, and how many bytes they take there."""
        return self.sources.store.kept, self.sources.store.size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, draw: Draw) -> Item:
        images, targets, indices = _raised(self.__getitems__([draw]))
        return images[0], int(targets[0]), int(indices[0])

    def __getitems__(self, draws: Sequence[Draw]) -> Batch | DataError:
        images, epochs, positions = zip(*draws, strict=True)
        try:
            canvases = self.sources.canvases([self.paths[image] for image in images])
        except DataError as error:  # as a value: raised in a worker it would arrive as the text of a traceback
            return error
        indices = np.array(images, dtype=np.int64)
        pixels = _empty(len(images), self.preprocess)
        keys = Keys(self.seed, epochs[0], positions)
        augment_batch(canvases, self.sizes[indices], keys, self.preprocess, self.augment, pixels.numpy())
        return pixels.permute(0, 3, 1, 2), torch.from_numpy(self.targets[indices]), torch.from_numpy(indices)


class EvalImages(TorchDataset[Item]):
    """A split as every score sees it: batches of float32 images of `preprocess_image`, targets and indices.

    `labels` are the model's; the split's samples must be of its classes. Resized pixels are kept.
    """

    def __init__(self, dataset: Dataset, split: str, preprocess: Preprocess, labels: Labels, keeping: Keeping) -> None:
        samples = dataset.split(split)
        self.paths = tuple(sample.path for sample in samples)
        self.targets = targets_of(samples, labels)
        self.preprocess = preprocess
        self.sources = Sources(dataset, self.paths, preprocess, None, keeping)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Item:
        images, targets, indices = _raised(self.__getitems__([index]))
        return images[0], int(targets[0]), int(indices[0])

    def __getitems__(self, indices: Sequence[int]) -> Batch | DataError:
        try:
            pixels = np.stack(self.sources.canvases([self.paths[index] for index in indices]))
        except DataError as error:
            return error
        rows = np.array(indices, dtype=np.int64)
        images = _normalized(torch.from_numpy(pixels), self.preprocess)
        return images.permute(0, 3, 1, 2), torch.from_numpy(self.targets[rows]), torch.from_numpy(rows)


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
        places = of_rank(np.arange(len(self.targets)), self.loading.rank, self.loading.world)
        start, self.skip = self.skip * self.loading.batch_size, 0
        pairs = zip(self.order().tolist(), places.tolist(), strict=False)
        draws = [Draw(index, self.epoch, place) for index, place in pairs]
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
        self.store = images.sources.store
        super().__init__(
            images,
            batch_size=loading.batch_size,
            sampler=sampler,
            num_workers=loading.workers,
            persistent_workers=loading.workers > 0,
            pin_memory=loading.pin_memory,
            collate_fn=_as_it_is,  # type: ignore[arg-type]  # the data sets hand over whole batches
            worker_init_fn=start_worker,
            timeout=loading.timeout if loading.workers else 0,
            generator=torch.Generator(),
        )

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]  # a generator: nothing is read before the first batch
        read = super().__iter__
        self.store.open()
        for batch in patient(read, self, self._paths_of) if self.num_workers else read():
            yield _raised(batch)

    @property
    def held(self) -> int:
        """Bytes of memory, once every image was read; processes that are no forks of this one have each their own."""
        own = self.num_workers if get_start_method() != "fork" else 1
        return self.store.held * max(1, own)

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
        self.kept = images.kept
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
    images = TrainImages(dataset, preprocess, augment, seed, loading.keeping)
    return ResumableLoader(images, EpochSampler(images.targets, loading, seed, balanced), loading)


def eval_loader(dataset: Dataset, split: str, preprocess: Preprocess, labels: Labels, loading: Loading) -> ImageLoader:
    """Normalised float32 batches of a split, in its order; of several processes each takes its share, unpadded."""
    images = EvalImages(dataset, split, preprocess, labels, loading.keeping)
    return ImageLoader(images, range(loading.rank, len(images), loading.world), loading)


def _empty(count: int, preprocess: Preprocess) -> Tensor:
    """(count, H, W, 3) uint8; in a worker it lies where the main process sees it, and is not copied."""
    images = torch.empty((count, preprocess.height, preprocess.width, 3), dtype=torch.uint8)
    return images if get_worker_info() is None else images.share_memory_()  # type: ignore[no-untyped-call]  # of torch


def _normalized(pixels: Tensor, preprocess: Preprocess) -> Tensor:
    """What `values.preprocess.normalize` computes, of (B, H, W, 3), in place of four arrays in one."""
    mean, std = torch.tensor(preprocess.mean), torch.tensor(preprocess.std)
    return pixels.float().div_(255.0).sub_(mean).div_(std)


def _raised(batch: Batch | DataError) -> Batch:
    if isinstance(batch, DataError):
        raise batch
    return batch


def _as_it_is(batch: Batch | DataError) -> Batch | DataError:
    return batch
