"""Pictures that a GPU draws are those of the CPU; torch's own arithmetic on a CPU shows it without a GPU."""

from pathlib import Path

import numpy as np
import pytest
import torch

from clf_cli.data.augment import Keys, augment_batch
from clf_cli.data.dataset import Dataset, load_dataset
from clf_cli.data.device_images import DeviceEvalImages, DeviceTrainImages, device_loaders, draw_batch, filled
from clf_cli.data.draws import Draw
from clf_cli.data.knobs import PRESETS, Augment
from clf_cli.data.loaders import EvalImages
from clf_cli.data.placement import canvas_sizes
from clf_cli.data.store import Keeping
from clf_cli.settings.sections import DataSection
from clf_cli.values.preprocess import Preprocess

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here"))]
COUNT = 48
SIZES = np.tile([[90, 60], [64, 64], [50, 110]], (COUNT // 3, 1))
KEYS = Keys(3, 1, range(COUNT))
WARPS = Augment("warps", flip=True, rotate=10.0, translate=0.08, zoom=0.15, shear=8.0, perspective=0.25, color=0.3)
HOLES = Augment("holes", erase=0.6, crop_scale=0.7)


def drawn_twice(preprocess: Preprocess, augment: Augment, device: str) -> tuple[np.ndarray, np.ndarray]:
    """(B, H, W, 3) of the CPU's way and of the GPU's."""
    rng = np.random.default_rng(0)
    sides = canvas_sizes(SIZES, preprocess, augment)
    canvases = [smooth(rng, width, height) for width, height in sides.tolist()]
    expected = np.empty((COUNT, preprocess.height, preprocess.width, 3), np.uint8)
    augment_batch(canvases, SIZES, KEYS, preprocess, augment, expected)
    width, height = sides.max(axis=0).tolist()
    held = torch.from_numpy(np.stack([filled(canvas, (height, width), preprocess) for canvas in canvases]))
    images = held.to(device).permute(0, 3, 1, 2).float()
    found = draw_batch(images, sides, SIZES, KEYS, preprocess, augment)
    assert found.is_contiguous(memory_format=torch.channels_last)
    return expected, found.permute(0, 2, 3, 1).cpu().numpy()


def smooth(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Waves that no two places of a canvas share."""
    y, x = np.mgrid[:height, :width]
    phases = rng.uniform(0, 6, 3)
    return np.stack([127 + 100 * np.sin(x / 9 + y / 13 * (k + 1) + phases[k]) for k in range(3)], axis=2).astype("u1")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("mode", ["squash", "crop", "letterbox"])
@pytest.mark.parametrize("augment", [PRESETS["none"], PRESETS["basic"], WARPS, HOLES], ids=lambda knobs: knobs.preset)
def test_the_same_draw_is_the_same_picture(augment: Augment, mode: str, device: str) -> None:
    expected, found = drawn_twice(Preprocess(64, 80, resize_mode=mode), augment, device)  # type: ignore[arg-type]
    apart = np.abs(expected.astype(int) - found.astype(int))
    assert apart.mean() < 1.0
    assert np.quantile(apart, 0.99) <= 6
    shuffled = np.abs(expected.astype(int) - found[::-1].astype(int))
    assert shuffled.mean() > 20  # the check itself


@pytest.mark.parametrize("device", DEVICES)
def test_noise_is_that_of_the_cpu_in_strength_and_share(device: str) -> None:
    quiet = Preprocess(48, 48)
    plain, _ = drawn_twice(quiet, PRESETS["none"], device)
    spreads = [
        (noisy - plain.astype(float)).std(axis=(1, 2, 3))
        for noisy in drawn_twice(quiet, Augment("n", noise=0.5), device)
    ]
    assert np.allclose(*spreads, atol=0.35)
    assert 10 < (spreads[1] > 1).sum() < 38


def test_what_a_gpu_does_not_draw_is_named() -> None:
    assert PRESETS["basic"].only_on_cpu == ()
    assert PRESETS["ocr"].only_on_cpu == ("downscale", "jpeg", "blur")
    assert PRESETS["strong"].only_on_cpu == ("randaugment",)


@pytest.fixture(scope="module")
def dataset(tiny_dataset: Path) -> Dataset:
    return load_dataset(DataSection(root=tiny_dataset), seed=0)


@pytest.mark.parametrize("device", DEVICES)
def test_evaluation_sees_the_same_bits(dataset: Dataset, device: str) -> None:
    preprocess = Preprocess(40, 48, resize_mode="crop")
    plain = EvalImages(dataset, "val", preprocess, dataset.labels, Keeping("none"))
    there = DeviceEvalImages(dataset, "val", preprocess, dataset.labels, device, threads=2)
    rows = list(range(len(plain)))[::-1]
    for expected, found in zip(plain.__getitems__(rows), there.__getitems__(rows), strict=True):
        assert torch.equal(expected, found.cpu())


@pytest.mark.parametrize("device", DEVICES)
def test_a_batch_is_a_function_of_its_draws(dataset: Dataset, device: str) -> None:
    images = DeviceTrainImages(dataset, Preprocess(32, 32), PRESETS["basic"], 5, device, threads=2)
    draws = [Draw(image, 4, 10 + image) for image in (3, 1, 2)]
    pixels, targets, indices = images.__getitems__(draws)
    again = DeviceTrainImages(dataset, Preprocess(32, 32), PRESETS["basic"], 5, device, threads=1).__getitems__(draws)
    assert all(torch.equal(*pair) for pair in zip((pixels, targets, indices), again, strict=True))
    assert indices.tolist() == [3, 1, 2]
    assert targets.tolist() == [int(images.targets[at]) for at in (3, 1, 2)]
    assert (pixels.dtype, pixels.shape) == (torch.uint8, (3, 3, 32, 32))
    one = images.__getitems__(draws[1:2])[0]
    assert torch.equal(one[0], pixels[1])


@pytest.mark.parametrize("device", DEVICES)
def test_images_on_the_device_are_kept_between_epochs(dataset: Dataset, device: str) -> None:
    train, _ = device_loaders((dataset, Preprocess(32, 32), PRESETS["basic"], 5), (4, False), device, 2)
    list(train)
    assert isinstance(train.dataset, DeviceTrainImages)
    assert train.dataset._canvases is not None
    assert train.kept == ("gpu", train.dataset._canvases.numel())
    assert train.held == 0  # of main memory
