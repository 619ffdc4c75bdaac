import json

import numpy as np
import pytest

from clf_cli.data.dataset import Dataset, load_dataset
from clf_cli.data.knobs import resolve_augment
from clf_cli.data.loaders import Loading, train_loader
from clf_cli.engine.augmented import augmented, augmented_pixels
from clf_cli.engine.thumbnails import thumbnails
from clf_cli.settings.sections import AugmentSection, DataSection
from clf_cli.values.preprocess import Preprocess
from clf_cli.values.report import Report

SIZE = Preprocess(24, 32)
STRONG = AugmentSection(preset="strong", noise=0.5)


@pytest.fixture(scope="module")
def dataset(tiny_dataset) -> Dataset:
    return load_dataset(DataSection(root=tiny_dataset, scan_cache=False), seed=0)


@pytest.mark.parametrize("seed", [0, 7])
def test_the_pixels_are_those_of_the_training_loader(dataset, seed):
    result = augmented(dataset, STRONG, seed, count=5)
    shown = augmented_pixels(dataset, result, SIZE)
    loader = train_loader(dataset, SIZE, resolve_augment(STRONG, dataset.labels), Loading(8), seed)
    for epoch in range(result.epochs):
        loader.sampler.set_epoch(epoch)
        seen = {int(index): image for images, _, rows in loader for image, index in zip(images, rows, strict=True)}
        for image, pixels in zip(result.images, shown, strict=True):
            assert np.array_equal(pixels[1 + epoch], seen[image.index].numpy().transpose(1, 2, 0))


def test_the_original_comes_first_and_draws_differ(dataset):
    result = augmented(dataset, STRONG, 0, count=3)
    originals = thumbnails(dataset.root, [image.path for image in result.images], SIZE)
    for (first, *draws), original in zip(augmented_pixels(dataset, result, SIZE), originals, strict=True):
        assert np.array_equal(first, original)
        assert len({drawn.tobytes() for drawn in draws}) == result.epochs


def test_no_augmentation_changes_nothing(dataset):
    result = augmented(dataset, AugmentSection(preset="none"), 0, count=2)
    for first, *draws in augmented_pixels(dataset, result, SIZE):
        assert all(np.array_equal(first, drawn) for drawn in draws)


def test_images_are_spread_over_the_classes_and_the_same_for_every_seed_and_preset(dataset):
    result = augmented(dataset, STRONG, 0, count=6)
    assert sorted(image.label for image in result.images) == ["blue", "blue", "green", "green", "red", "red"]
    assert augmented(dataset, AugmentSection(), 5, count=6).images == result.images
    rows = dataset.split("train")
    assert all(rows[image.index].path == image.path for image in result.images)


def test_the_report_says_what_the_preset_came_to(dataset):
    section = AugmentSection(preset="ocr", rotate=3, mixup=0.2)
    value = json.loads(json.dumps(Report(augmented(dataset, section, 4, count=1)).to_json(), allow_nan=False))
    assert value["kind"] == "augmented"
    result = value["result"]
    assert (result["preset"], result["seed"], result["epochs"]) == ("ocr", 4, 5)
    assert result["settings"]["rotate"] == 3
    assert result["settings"]["translate"] == 0.08
    assert (result["settings"]["mixup"], result["settings"]["cutmix"]) == (0.2, 0)
    assert list(result["images"][0]) == ["path", "label"]
