"""Predictions: every image once, in order, in validation's batches, whatever decodes beside."""

from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clf_cli.data.dataset import Dataset, load_dataset
from clf_cli.data.images import open_image
from clf_cli.engine.predict_split import predict_split
from clf_cli.errors import DataError
from clf_cli.models.classifier import Classifier
from clf_cli.settings.sections import DataSection
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import EVAL_BATCH, FloatArray
from clf_cli.values.preprocess import Preprocess, preprocess_image

INPUT = Preprocess(8, 8)
COUNTS = {"train": 3, "val": 50}  # of each of two classes: val is more than one batch


@pytest.fixture
def dataset(tmp_path) -> Dataset:
    rng = np.random.default_rng(0)
    for split, count in COUNTS.items():
        for name in ("a", "b"):
            folder = tmp_path / "data" / split / name
            folder.mkdir(parents=True)
            for index in range(count):
                pixels = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{index:02d}.png")
    return load_dataset(DataSection(root=tmp_path / "data", scan_cache=False), seed=0)


class Means:
    """A classifier of channel means that remembers the batches it saw."""

    def __init__(self) -> None:
        self.seen: list[FloatArray] = []

    def __call__(self, images: FloatArray) -> FloatArray:
        self.seen.append(images)
        return np.asarray(images.mean(axis=(2, 3)), dtype=np.float32)


def classifier(logits: Means, labels: tuple[str, ...] = ("a", "b", "c")) -> Classifier:
    return Classifier(logits, Labels(labels), INPUT, "means", "live", None, None, None, Path("means.ckpt"), None)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_every_image_is_predicted_in_order_whatever_decodes(dataset, workers):
    means = Means()

    predictions = predict_split(classifier(means), dataset, "val", workers)

    expected = [preprocess_image(open_image(dataset.root / path), INPUT) for path in predictions.paths]
    assert predictions.paths == tuple(sample.path for sample in dataset.split("val"))
    np.testing.assert_array_equal(np.concatenate(means.seen), np.stack(expected))
    np.testing.assert_array_equal(predictions.logits, np.stack(expected).mean(axis=(2, 3)))
    assert [len(batch) for batch in means.seen] == [EVAL_BATCH, 100 - EVAL_BATCH]
    assert all(batch.dtype == np.float32 for batch in means.seen)


@pytest.mark.parametrize("labels", [("a", "b", "c"), ("b", "c", "a")])
def test_targets_follow_the_models_order_of_classes(dataset, labels):
    predictions = predict_split(classifier(Means(), labels), dataset, "val")

    names = [sample.label for sample in dataset.split("val")]
    assert predictions.labels == Labels(labels)
    assert [labels[index] for index in predictions.targets] == names


def test_all_is_every_split(dataset):
    assert len(predict_split(classifier(Means()), dataset, "all")) == 2 * sum(COUNTS.values())


def test_progress_reaches_its_total(dataset):
    totals, steps = [], []

    @contextmanager
    def progress(description, total):
        totals.append(total)
        yield steps.append

    predict_split(classifier(Means()), dataset, "val", progress=progress)

    assert totals == [100] == [sum(steps)]


def test_files_that_vanished_or_broke_are_all_listed_and_nothing_is_returned(dataset):
    gone, broken = dataset.split("val")[3].path, dataset.split("val")[90].path
    (dataset.root / gone).unlink()
    (dataset.root / broken).write_bytes(b"no image")

    with pytest.raises(DataError, match="2 images") as caught:
        predict_split(classifier(Means()), dataset, "val")

    assert gone in caught.value.message
    assert broken in caught.value.message
    assert caught.value.exit_code == 3
    assert "--on-bad-image" in caught.value.hint


def test_skipped_files_are_reported_and_in_no_denominator(dataset):
    bad = dataset.split("val")[0].path
    (dataset.root / bad).write_bytes(b"no image")
    section = DataSection(root=dataset.root, scan_cache=False, on_bad_image="skip")

    predictions = predict_split(classifier(Means()), load_dataset(section, seed=0), "val")

    assert len(predictions) == 99
    assert [file.path for file in predictions.skipped] == [bad]


def test_classes_that_the_model_lacks_are_named(dataset):
    with pytest.raises(DataError, match="does not know this class of the data: b") as caught:
        predict_split(classifier(Means(), ("a", "c")), dataset, "val")
    assert caught.value.exit_code == 3


def test_a_split_without_images_is_an_error(dataset):
    with pytest.raises(DataError, match="no images in the split test"):
        predict_split(classifier(Means()), dataset, "test")
