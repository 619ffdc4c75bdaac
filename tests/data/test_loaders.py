import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from clf_cli.data.augment import Keys, augment_image
from clf_cli.data.dataset import Dataset, load_dataset
from clf_cli.data.draws import Draw
from clf_cli.data.images import open_image
from clf_cli.data.knobs import Augment
from clf_cli.data.loaders import EpochSampler, EvalImages, Loading, eval_loader, train_loader
from clf_cli.data.store import Keeping
from clf_cli.errors import DataError
from clf_cli.settings.sections import DataSection
from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import Preprocess, preprocess_image

PREPROCESS = Preprocess(16, 20)
AUGMENT = Augment("x", flip=True, rotate=10, color=0.3, noise=0.5)
COUNTS = {
    "train": {"a": 14, "b": 4, "c": 3},
    "val": {"a": 3, "b": 2, "c": 2},
}  # 21 train images are five batches of four, and one that is left out


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for split, classes in COUNTS.items():
        for name, count in classes.items():
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (rng.integers(10, 30), rng.integers(10, 30), 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return load_dataset(DataSection(root=root, scan_cache=False), seed=0)


def loader_of(dataset: Dataset, loading: Loading | None = None, seed: int = 5, balanced: bool = False):
    return train_loader(dataset, PREPROCESS, AUGMENT, loading or Loading(batch_size=4), seed, balanced)


def epochs_of(loader, epochs=range(2)):
    batches = []
    for epoch in epochs:
        loader.sampler.set_epoch(epoch)
        batches += list(loader)
    return batches


def assert_equal(batches, others):
    assert len(batches) == len(others)
    for batch, other in zip(batches, others, strict=True):
        for tensor, expected in zip(batch, other, strict=True):
            assert tensor.dtype == expected.dtype
            assert torch.equal(tensor, expected)


def test_training_batches_hold_what_they_promise(dataset):
    batches = epochs_of(loader_of(dataset, Loading(batch_size=5)), [0])
    assert [len(batch[1]) for batch in batches] == [5, 5, 5, 5]  # 21 images: the lonely last one is left out
    samples = dataset.split("train")
    for images, targets, indices in batches:
        assert (images.dtype, tuple(images.shape[1:])) == (torch.uint8, (3, 16, 20))
        assert images.is_contiguous(memory_format=torch.channels_last)
        assert (targets.dtype, indices.dtype) == (torch.int64, torch.int64)
        assert [dataset.labels.names[t] for t in targets] == [samples[i].label for i in indices]


def test_an_image_is_the_augmentation_of_its_key(dataset):
    images, _, indices = epochs_of(loader_of(dataset, seed=9), [3])[0]
    for position, (image, index) in enumerate(zip(images, indices.tolist(), strict=True)):
        source = open_image(dataset.root / dataset.split("train")[index].path)
        expected = augment_image(source, PREPROCESS, AUGMENT, Keys(9, 3, [position]))[0]
        assert np.array_equal(image.numpy().transpose(1, 2, 0), expected)


def test_epochs_differ_in_order_and_augmentation_and_repeat_by_number(dataset):
    loader = loader_of(dataset)
    first, second, again = (epochs_of(loader, [epoch]) for epoch in (0, 1, 0))
    assert_equal(first, again)
    seen = [
        {int(index): image for images, _, indices in batches for image, index in zip(images, indices, strict=True)}
        for batches in (first, second)
    ]
    assert list(seen[0]) != list(seen[1])
    assert all(not torch.equal(seen[0][index], seen[1][index]) for index in seen[0].keys() & seen[1].keys())


def test_the_number_of_workers_changes_nothing(dataset):
    alone = epochs_of(loader_of(dataset))
    assert_equal(epochs_of(loader_of(dataset, Loading(batch_size=4, workers=2))), alone)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("cache", ["ram", "disk"])
def test_neither_does_what_is_kept(dataset, cache, workers):
    expected = epochs_of(loader_of(dataset, Loading(batch_size=4, cache="none")))
    for _ in range(2):  # of files, and then of what the first left on the disk
        loader = loader_of(dataset, Loading(batch_size=4, cache=cache, workers=workers))
        assert_equal(epochs_of(loader), expected)
        assert len(loader.store) == len({sample.path for sample in dataset.split("train")})


@pytest.mark.parametrize(
    ("workers", "balanced", "stop"), [(0, False, 1), (0, True, 3), (0, False, 5), (2, False, 3), (2, True, 1)]
)
def test_an_interrupted_epoch_goes_on_with_the_rest_exactly(dataset, workers, balanced, stop):
    whole = epochs_of(loader_of(dataset, balanced=balanced), [0, 1, 2])
    assert len(whole) == 15
    loading = Loading(batch_size=4, workers=workers)
    interrupted = loader_of(dataset, loading, balanced=balanced)
    interrupted.sampler.set_epoch(1)
    batches = iter(interrupted)
    for _ in range(stop):
        next(batches)
    state = interrupted.state_dict()
    batches.close()
    resumed = loader_of(dataset, loading, balanced=balanced)
    resumed.load_state_dict(state)
    assert len(resumed) == 5
    assert_equal(list(resumed), whole[5 + stop : 10] if stop < 5 else whole[10:])


def test_the_state_after_a_whole_epoch_starts_the_next_one(dataset):
    loader = loader_of(dataset)
    whole = epochs_of(loader, [0, 1])
    finished = loader_of(dataset)
    epochs_of(finished, [0])
    resumed = loader_of(dataset)
    resumed.load_state_dict(finished.state_dict())
    assert_equal(list(resumed), whole[len(whole) // 2 :])


def test_resuming_reads_none_of_the_images_before(dataset):
    loader = loader_of(dataset)
    loader.load_state_dict({"batches": 4, "epoch": 0})
    batches = list(loader)
    read = {dataset.split("train")[index].path for batch in batches for index in batch[2].tolist()}
    assert len(loader.store) == len(read)
    assert len(list(loader)) == len(loader)  # the skipping happens once


@pytest.mark.parametrize(
    ("count", "batch_size", "sizes"),
    [
        (9, 4, [4, 4]),
        (10, 4, [4, 4, 2]),
        (8, 4, [4, 4]),
        (3, 1, [1, 1, 1]),
        (1, 4, [1]),
        (3, 2, [2]),
    ],
)
def test_no_epoch_ends_with_a_batch_of_one(count, batch_size, sizes):
    sampler = EpochSampler(np.zeros(count, np.int64), Loading(batch_size=batch_size), 0, balanced=False)
    draws = list(sampler)
    assert len(draws) == len(sampler) == sum(sizes)
    assert sampler.order().tolist() == [draw.image for draw in draws]


def test_a_balanced_epoch_repeats_images_but_not_pictures(dataset):
    loader = loader_of(dataset, balanced=True)
    pictures: dict[int, list[torch.Tensor]] = {}
    for images, _, indices in epochs_of(loader, [0]):
        for image, index in zip(images, indices.tolist(), strict=True):
            pictures.setdefault(index, []).append(image)
    repeated = [group for group in pictures.values() if len(group) > 1]
    assert repeated
    assert all(not torch.equal(group[0], group[1]) for group in repeated)


@pytest.mark.parametrize("balanced", [False, True])
def test_processes_share_an_epoch(balanced):
    targets = np.arange(43) % 3
    shares = []
    for rank in range(4):
        sampler = EpochSampler(targets, Loading(batch_size=2, rank=rank, world=4), 0, balanced)
        shares.append(list(sampler))
        assert len(shares[-1]) == len(sampler) == 10
    alone = list(EpochSampler(targets, Loading(batch_size=2), 0, balanced))
    assert {draw for share in shares for draw in share} <= set(alone)
    assert len({draw for share in shares for draw in share}) == 40


def test_loading_draws_nothing_from_the_global_random_state(dataset):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    epochs_of(loader_of(dataset))
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("mode", ["squash", "crop", "letterbox"])
@pytest.mark.parametrize("cache", ["ram", "disk", "none"])
def test_evaluation_sees_exactly_the_evaluation_transform(dataset, mode, cache):
    preprocess = Preprocess(16, 16, resize_mode=mode)
    images = EvalImages(dataset, "val", preprocess, dataset.labels, Keeping(cache))
    samples = dataset.split("val")
    assert len(images) == len(samples) == 7
    for _ in range(2):
        for index, sample in enumerate(samples):
            image, target, at = images[index]
            expected = preprocess_image(open_image(dataset.root / sample.path), preprocess)
            assert np.array_equal(image.numpy(), expected)
            assert (dataset.labels.names[target], at) == (sample.label, index)
    assert len(images.sources.store) == (0 if cache == "none" else 7)


@pytest.mark.parametrize("workers", [0, 2])
def test_evaluation_reads_the_split_in_order_and_decodes_once(dataset, workers):
    loader = eval_loader(dataset, "val", PREPROCESS, dataset.labels, Loading(batch_size=3, workers=workers))
    first, second = list(loader), list(loader)
    assert torch.cat([batch[2] for batch in first]).tolist() == list(range(7))
    assert first[0][0].dtype == torch.float32
    assert_equal(first, second)


def test_evaluation_matches_labels_by_name(dataset):
    labels = Labels(("c", "other", "a", "b"))
    targets = torch.cat([batch[1] for batch in eval_loader(dataset, "val", PREPROCESS, labels, Loading())])
    assert [labels.names[target] for target in targets] == [sample.label for sample in dataset.split("val")]


@pytest.mark.parametrize("world", [1, 2, 3, 5])
def test_processes_evaluate_every_image_once(dataset, world):
    seen = []
    for rank in range(world):
        loader = eval_loader(dataset, "val", PREPROCESS, dataset.labels, Loading(batch_size=2, rank=rank, world=world))
        seen += [index for batch in loader for index in batch[2].tolist()]
    assert sorted(seen) == list(range(7))


def moved(dataset: Dataset, root: Path) -> Dataset:
    """A copy of the data whose file train/b/1.png was cut after the scan."""
    for sample in dataset.samples:
        (root / sample.path).parent.mkdir(parents=True, exist_ok=True)
        (root / sample.path).write_bytes((dataset.root / sample.path).read_bytes())
    broken = root / "train/b/1.png"
    os.truncate(broken, broken.stat().st_size // 2)
    return replace(dataset, root=root)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_file_that_broke_after_the_scan_stops_the_work_and_is_named(dataset, tmp_path, workers):
    loader = loader_of(moved(dataset, tmp_path), Loading(batch_size=4, workers=workers))
    with pytest.raises(DataError) as caught:
        list(loader)
    assert caught.value.exit_code == 3
    assert caught.value.message.startswith("Cannot read train/b/1.png any more: ")
    assert "Traceback" not in caught.value.message
    assert caught.value.hint is not None
    assert str(tmp_path) in caught.value.hint


def test_images_travel_to_processes_that_start_afresh(dataset):
    """Where workers are not forks of this process, they get the images pickled."""
    images = loader_of(dataset).dataset
    copy = pickle.loads(pickle.dumps(images))
    for draw in (Draw(3, 1, 0), Draw(0, 0, 2)):
        assert torch.equal(copy[draw][0], images[draw][0])


@pytest.mark.parametrize("cache", ["ram", "none"])
def test_several_threads_read_what_one_reads(dataset, cache):
    expected = epochs_of(loader_of(dataset, Loading(batch_size=4, cache=cache)))
    assert_equal(epochs_of(loader_of(dataset, Loading(batch_size=4, cache=cache, readers=3))), expected)
    alone = list(eval_loader(dataset, "val", PREPROCESS, dataset.labels, Loading(batch_size=3)))
    assert_equal(list(eval_loader(dataset, "val", PREPROCESS, dataset.labels, Loading(3, readers=3))), alone)


def test_a_file_that_one_of_several_threads_cannot_read_is_named(dataset, tmp_path):
    away = moved(dataset, tmp_path)
    with pytest.raises(DataError, match=r"Cannot read train/b/1\.png any more"):
        list(loader_of(away, Loading(batch_size=4, readers=3)))
