"""Planted label errors come first, by models that did not see them; the rule against a second writing of it."""

from pathlib import Path

import numpy as np
import pytest

from clf_cli.data.dataset import Dataset, load_dataset
from clf_cli.engine.suspects import Judge, disputed, find_suspects
from clf_cli.errors import DataError, UsageError
from clf_cli.models.classifier import Classifier
from clf_cli.settings.sections import DataSection
from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import Preprocess
from tests.running import COLORS, draw_discs

NAMES = tuple(sorted(COLORS))  # blue, green, red
PLANTED = {"train/blue/planted.png": "red", "val/green/planted.png": "blue", "test/red/planted.png": "green"}


class Colors:
    """Logits by the strongest channel of an image; remembers how many it was asked about."""

    def __init__(self, sureness: float = 60) -> None:
        self.sureness, self.asked = sureness, 0

    def __call__(self, images):
        self.asked += len(images)
        return np.asarray(self.sureness * images.mean(axis=(2, 3))[:, ::-1], dtype=np.float32)


def model(logits, labels=NAMES) -> Classifier:
    return Classifier(
        logits, Labels(labels), Preprocess(28, 28), "colors", "live", None, None, None, Path("a.ckpt"), None
    )


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    """Discs of which three lie in the folder of another colour."""
    root = draw_discs(tmp_path_factory.mktemp("suspects") / "discs", {"train": 6, "val": 5, "test": 5})
    for path, color in PLANTED.items():
        (root / path.split("/")[0] / color / "00.png").rename(root / path)
    return load_dataset(DataSection(root=root, scan_cache=False), seed=0)


def paths_of(dataset: Dataset, *splits: str) -> frozenset[str]:
    return frozenset(sample.path for sample in dataset.samples if sample.split in splits)


def reference(probabilities, targets):
    """Confident learning, a row at a time: (margin, row, class) of every dispute."""
    classes = range(len(probabilities[0]))
    thresholds = {}
    for index in classes:
        own = [row[index] for row, target in zip(probabilities, targets, strict=True) if target == index]
        if own:
            thresholds[index] = sum(own) / len(own)
    found = []
    for number, (row, target) in enumerate(zip(probabilities, targets, strict=True)):
        above = [index for index in thresholds if row[index] >= thresholds[index]]
        if not above:
            continue
        best = max(above, key=lambda index: row[index])
        margin = row[target] - max(row[index] for index in classes if index != target)
        if best != target and margin < 0:
            found.append((margin, number, best))
    return sorted(found)


@pytest.mark.parametrize(("rows", "classes"), [(1, 2), (40, 2), (300, 7), (60, 40)])
def test_the_rule_written_a_second_time(rows, classes):
    rng = np.random.default_rng(rows)
    targets = rng.integers(0, classes, rows)
    logits = rng.normal(0, 1, (rows, classes)) + 3 * np.eye(classes)[targets]
    wrong = rng.random(rows) < 0.2
    targets = np.where(wrong, rng.integers(0, classes, rows), targets)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    order, found, margins = disputed(probabilities, targets)

    expected = reference(probabilities.tolist(), targets.tolist())
    assert list(zip(order.tolist(), found.tolist(), strict=True)) == [(row, index) for _, row, index in expected]
    assert margins.tolist() == pytest.approx([margin for margin, _, _ in expected])
    assert rows < 40 or expected


def test_a_class_of_which_nothing_is_judged_is_never_the_other_one():
    probabilities = np.array([[0.1, 0.0, 0.9], [0.8, 0.2, 0.0], [0.3, 0.7, 0.0]])
    assert disputed(probabilities, np.array([0, 0, 1]))[0].tolist() == []
    assert disputed(probabilities, np.array([0, 2, 1]))[0].tolist() == [0, 1]


def test_planted_errors_come_first(dataset):
    found = find_suspects(dataset, [Judge(model(Colors()), frozenset())])
    assert {image.path: image.predicted for image in found.images[:3]} == PLANTED
    assert (found.judged, found.not_judged) == (len(dataset.samples), 0)
    assert [image.score for image in found.images] == sorted(image.score for image in found.images)
    for image in found.images[:3]:
        assert image.label == image.path.split("/")[1]
        assert image.split == image.path.split("/")[0]
        assert image.probability > 0.5
        assert image.score < 0


def test_a_model_is_not_asked_about_images_that_it_was_trained_on(dataset):
    colors = Colors()
    found = find_suspects(dataset, [Judge(model(colors), paths_of(dataset, "train"))])
    assert colors.asked == found.judged == len(dataset.split("val")) + len(dataset.split("test"))
    assert found.not_judged == len(dataset.split("train"))
    assert found.models[0][1] == len(dataset.split("train"))
    assert {image.path for image in found.images[:2]} == {path for path in PLANTED if not path.startswith("train")}


def test_models_of_several_folds_judge_what_each_did_not_see(dataset):
    """A model that learnt its training images by heart, errors too, hides none of them."""
    fooled = model(lambda images: np.tile(np.float32([9, 0, 0]), (len(images), 1)))
    first, second = paths_of(dataset, "train"), paths_of(dataset, "val", "test")
    parts = [Judge(model(Colors()), first), Judge(model(Colors()), second)]
    found = find_suspects(dataset, parts)
    assert (found.judged, found.not_judged) == (len(dataset.samples), 0)
    assert {image.path for image in found.images[:3]} == set(PLANTED)
    unasked = find_suspects(dataset, [*parts, Judge(fooled, first | second)])
    assert unasked.images == found.images


def test_of_several_answers_the_mean_counts(dataset):
    """Classes in another order, too."""
    halves = [model(Colors(40)), model(lambda images: Colors(80)(images)[:, [2, 0, 1]], ("red", "blue", "green"))]
    alone = [{i.path: i for i in find_suspects(dataset, [Judge(one, frozenset())]).images} for one in halves]
    both = find_suspects(dataset, [Judge(one, frozenset()) for one in halves])
    for image in both.images[:3]:
        expected = np.mean([one[image.path].probability for one in alone])
        assert image.probability == pytest.approx(expected)


def test_the_finding_names_every_image_in_order(dataset):
    found = find_suspects(dataset, [Judge(model(Colors()), frozenset())])
    finding = found.finding
    assert finding is not None
    assert (finding.code, finding.severity, finding.category) == ("CLF901", "info", "suspect")
    assert finding.places == tuple(image.path for image in found.images)
    assert finding.count == len(found.images)
    worst = found.images[0]
    assert f'labelled "{worst.label}", taken for "{worst.predicted}"' in finding.reason


def test_without_a_dispute_there_is_no_finding(tmp_path):
    root = draw_discs(tmp_path / "discs", {"train": 2, "val": 1})
    sound = load_dataset(DataSection(root=root, scan_cache=False), seed=0)
    found = find_suspects(sound, [Judge(model(Colors()), None)])
    assert found.images == ()
    assert found.finding is None
    assert found.to_json()["models"][0]["trained_on"] is None


def test_classes_that_differ_are_named(dataset):
    with pytest.raises(DataError, match=r'does not know this class of .*: "red"'):
        find_suspects(dataset, [Judge(model(Colors(), ("blue", "green", "pink")), frozenset())])
    judges = [Judge(model(Colors(), labels), frozenset()) for labels in (NAMES, ("blue", "green", "pink"))]
    with pytest.raises(UsageError, match='different classes: "pink", "red"'):
        find_suspects(dataset, judges)


def test_images_that_every_model_was_trained_on_are_an_error(dataset):
    colors = Colors()
    with pytest.raises(DataError, match="none can be judged") as caught:
        find_suspects(dataset, [Judge(model(colors), paths_of(dataset, "train", "val", "test"))])
    assert "--folds" in (caught.value.hint or "")
    assert colors.asked == 0
