"""Images that live on a GPU, as bytes: crops, warps, flips, colours, holes and noise are drawn there, a batch at once.

The random numbers, matrices and colours are those of the CPU (data/placement.py), so the same draw is the same
picture, up to rounding; only the noise has other numbers.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from clf_cli.data.augment import MEAN_GRID, Keys
from clf_cli.data.dataset import Dataset
from clf_cli.data.draws import ERASE, NOISE, Draw, draw_generator, draw_numbers
from clf_cli.data.effects import erased_part
from clf_cli.data.knobs import Augment
from clf_cli.data.loaders import (
    Batch,
    EpochSampler,
    EvalImages,
    ImageLoader,
    Loading,
    ResumableLoader,
    TrainImages,
)
from clf_cli.data.placement import LUMA, canvas_sizes, colors, placements
from clf_cli.data.store import Keeping, Place
from clf_cli.errors import DataError
from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import Preprocess

_NOTHING = Keeping("none")
_EVAL_BATCH = 256  # a GPU is not busy with fewer; their activations stay below a training step's


def device_loaders(
    split: tuple[Dataset, Preprocess, Augment, int], batches: tuple[int, bool], device: str, threads: int
) -> tuple[ResumableLoader, ImageLoader]:
    """Of train and val; `split` ends with the seed, `batches` are the images of one and whether classes are drawn
    evenly. `threads` read the files."""
    dataset, preprocess, augment, seed = split
    loading = Loading(batches[0], cache="none")
    train = DeviceTrainImages(dataset, preprocess, augment, seed, device, threads)
    val = DeviceEvalImages(dataset, "val", preprocess, dataset.labels, device, threads)
    return (
        ResumableLoader(train, EpochSampler(train.targets, loading, seed, batches[1]), loading),
        ImageLoader(val, range(len(val)), Loading(_EVAL_BATCH, cache="none")),
    )


class DeviceTrainImages(TrainImages):
    """`TrainImages` whose batches are made, and lie, on `device`; `threads` read the files at the first batch."""

    def __init__(
        self, dataset: Dataset, preprocess: Preprocess, augment: Augment, seed: int, device: str, threads: int
    ) -> None:
        super().__init__(dataset, preprocess, augment, seed, _NOTHING)
        self.device = torch.device(device)
        self._threads = threads
        self._canvases: Tensor | None = None  # (N, h, w, 3) uint8
        self._sides = canvas_sizes(self.sizes, preprocess, augment)  # (N, 2) of their pixels that are the image's
        self._targets = torch.from_numpy(self.targets).to(self.device)

    @property
    def kept(self) -> tuple[Place, int]:
        return "gpu", len(self.paths) * int(self._sides.max(axis=0).prod()) * 3

    def __getitems__(self, draws: Sequence[Draw]) -> Batch | DataError:
        images, epochs, positions = zip(*draws, strict=True)
        try:
            canvases = self._uploaded()
        except DataError as error:
            return error
        indices = np.array(images, dtype=np.int64)
        there = _sent(indices, self.device)
        keys = Keys(self.seed, epochs[0], positions)
        chosen = canvases.index_select(0, there).permute(0, 3, 1, 2).float()
        pixels = draw_batch(chosen, self._sides[indices], self.sizes[indices], keys, self.preprocess, self.augment)
        return pixels, self._targets.index_select(0, there), there

    def _uploaded(self) -> Tensor:
        if self._canvases is None:
            width, height = self._sides.max(axis=0).tolist()
            held = torch.empty((len(self.paths), height, width, 3), dtype=torch.uint8)
            with ThreadPoolExecutor(max(1, self._threads)) as pool:
                for number, pixels in enumerate(pool.map(self.sources.canvas, self.paths)):
                    held[number] = torch.from_numpy(filled(pixels, (height, width), self.preprocess))
            self._canvases = held.to(self.device)
        return self._canvases


class DeviceEvalImages(EvalImages):
    """`EvalImages` whose pixels lie on `device`, and are normalised there: the same bits."""

    def __init__(
        self, dataset: Dataset, split: str, preprocess: Preprocess, labels: Labels, device: str, threads: int
    ) -> None:
        super().__init__(dataset, split, preprocess, labels, _NOTHING)
        self.device = torch.device(device)
        self._threads = threads
        self._pixels: Tensor | None = None
        self._targets = torch.from_numpy(self.targets).to(self.device)
        # A tensor: by a number, CUDA divides by multiplying with its rounded inverse.
        scales = ((255.0, 255.0, 255.0), preprocess.mean, preprocess.std)
        self._full, self._mean, self._std = (torch.tensor(scale, device=self.device) for scale in scales)

    def __getitems__(self, indices: Sequence[int]) -> Batch | DataError:
        if self._pixels is None:
            try:
                with ThreadPoolExecutor(max(1, self._threads)) as pool:
                    pixels = list(pool.map(self.sources.canvas, self.paths))
            except DataError as error:
                return error
            self._pixels = torch.from_numpy(np.stack(pixels)).to(self.device)
        there = _sent(np.array(indices, dtype=np.int64), self.device)
        chosen = self._pixels.index_select(0, there).float()
        images = chosen.div_(self._full).sub_(self._mean).div_(self._std)
        return images.permute(0, 3, 1, 2), self._targets.index_select(0, there), there


def filled(pixels: np.ndarray, shape: tuple[int, int], preprocess: Preprocess) -> np.ndarray:
    """A canvas with what lies beyond it, up to `shape` (h, w): its edge repeated, or the background in `letterbox`."""
    room = [(0, side - own) for side, own in zip(shape, pixels.shape[:2], strict=True)]
    if preprocess.resize_mode != "letterbox":
        return np.pad(pixels, [*room, (0, 0)], mode="edge")
    whole = np.tile(np.array(preprocess.background, np.uint8), (*shape, 1))
    whole[: pixels.shape[0], : pixels.shape[1]] = pixels
    return whole


def _sent(values: np.ndarray, device: torch.device) -> Tensor:
    """On the device, without waiting for it: a copy from memory that is not page-locked first waits for all before."""
    here = torch.from_numpy(np.ascontiguousarray(values))
    return here.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else here.to(device)


def draw_batch(
    canvases: Tensor, sides: np.ndarray, sizes: np.ndarray, keys: Keys, preprocess: Preprocess, augment: Augment
) -> Tensor:
    """(B, 3, H, W) uint8, channels last, of float `canvases` (B, 3, h, w) on the scale of uint8, of which the first
    `sides` (B, 2: width, height) pixels are the image's; `sizes` (B, 2) are those of the sources."""
    device, draws = canvases.device, draw_numbers(*keys)
    matrices = placements(draws, sizes, augment, preprocess)
    images = canvases
    if augment.moves:
        images = _warped(canvases, sides, matrices, preprocess)
    elif augment.flip:
        mirrored = _sent(matrices[:, 0, 0] < 0, device)
        images = torch.where(mirrored[:, None, None, None], canvases.flip(3), canvases)
    if augment.color:
        images = _recolored(images, draws, augment)
    if augment.noise:
        images = _with_noise(images.clamp_(0, 255), draws, keys, augment)
    if augment.erase:
        images = _with_holes(images, draws, keys, augment)
    # Each pass over a batch costs as much as the warp: the last one rounds, by cutting off, and lays out.
    return (images + 0.5).clamp_(0, 255.5).to(torch.uint8, memory_format=torch.channels_last)


def _warped(canvases: Tensor, sides: np.ndarray, matrices: np.ndarray, preprocess: Preprocess) -> Tensor:
    """Crops bicubic, warps bilinear; beyond the image its edge repeats, in `letterbox` there is the background."""
    device = canvases.device
    x = torch.arange(preprocess.width, device=device, dtype=torch.float32) + 0.5
    y = (torch.arange(preprocess.height, device=device, dtype=torch.float32) + 0.5)[:, None]
    packed = np.concatenate([matrices.reshape(-1, 9), sides], axis=1).astype(np.float32)
    rows = _sent(packed, device)[:, :, None, None]
    u, v = (rows[:, at] * x + (rows[:, at + 1] * y + rows[:, at + 2]) for at in (0, 3))
    if matrices[:, 2, :2].any():
        depth = rows[:, 6] * x + (rows[:, 7] * y + rows[:, 8])
        u, v = u / depth, v / depth
    height, width = canvases.shape[2:]
    fitted = preprocess.resize_mode == "letterbox"
    if not fitted:
        u, v = (torch.minimum(place.clamp_(min=0.5), rows[:, at] - 0.5) for place, at in ((u, 9), (v, 10)))
    grid = torch.stack([u * (2 / width) - 1, v * (2 / height) - 1], dim=3)
    mode = "bilinear" if matrices[:, [0, 1, 2, 2], [1, 0, 0, 1]].any() else "bicubic"
    if not fitted:
        return functional.grid_sample(canvases, grid, mode=mode, padding_mode="border", align_corners=False)
    behind = _sent(np.array(preprocess.background, np.float32), device)[:, None, None]
    drawn = functional.grid_sample(canvases - behind, grid, mode=mode, padding_mode="zeros", align_corners=False)
    return drawn + behind


def _recolored(images: Tensor, draws: np.ndarray, augment: Augment) -> Tensor:
    """In `colors` the offset is proportional to the mean, which is known on the device alone: of the CPU's grid."""
    matrices = _sent(colors(draws, np.ones(len(draws)), augment).astype(np.float32), images.device)
    rows, columns = (max(1, side // MEAN_GRID) for side in images.shape[2:])
    channels = images[:, :, rows // 2 :: rows, columns // 2 :: columns].mean(dim=(2, 3))
    means = LUMA[0] * channels[:, 0] + LUMA[1] * channels[:, 1] + LUMA[2] * channels[:, 2]
    offsets = matrices[:, :, 3:] * means[:, None, None]
    return torch.baddbmm(offsets, matrices[:, :, :3], images.flatten(2)).view(images.shape)


def _with_noise(images: Tensor, draws: np.ndarray, keys: Keys, augment: Augment) -> Tensor:
    sigmas = np.where(draws[:, NOISE][:, 0] < augment.noise, 3.0 + 12.0 * draws[:, NOISE][:, 1], 0.0)
    if not sigmas.any():
        return images
    generator = torch.Generator(images.device)
    generator.manual_seed(int(draw_generator(keys.seed, keys.epoch, int(keys.positions[0])).integers(2**62)))
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    scales = _sent(sigmas.astype(np.float32), images.device)
    return torch.addcmul(images, noise, scales[:, None, None, None])


def _with_holes(images: Tensor, draws: np.ndarray, keys: Keys, augment: Augment) -> Tensor:
    for number in np.flatnonzero(draws[:, ERASE][:, 0] < augment.erase).tolist():
        rng = draw_generator(keys.seed, keys.epoch, int(keys.positions[number]))
        color = _sent(rng.integers(0, 256, 3, dtype=np.uint8), images.device)
        rows, columns = erased_part(images.shape[2:], augment.erase_area, draws[number, ERASE][1:].tolist())
        images[number, :, rows, columns] = color.float()[:, None, None]
    return images
