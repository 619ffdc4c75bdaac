"""Examples of a class: different images of its first split, the same ones as long as the data stay."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from clf_cli.data.dataset import survey_dataset
from clf_cli.engine.dataset_examples import Examples, examples
from clf_cli.settings.sections import DataSection

Found = Callable[..., Examples]


def save(path: Path, level: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 8), level).save(path)


@pytest.fixture
def found(tmp_path: Path) -> Found:
    """Examples of 3 cats and a copy of one, 1 dog, and in val a cat and a bird."""
    for level, name in enumerate(
        ("train/cat/0", "train/cat/1", "train/cat/2", "train/dog/0", "val/cat/0", "val/bird/0")
    ):
        save(tmp_path / f"{name}.png", 20 * level)
    save(tmp_path / "train/cat/copy.png", 20)
    section = DataSection(root=tmp_path, on_unknown_class="skip")
    return lambda **limits: examples(survey_dataset(section, 0), **limits)


def test_different_images_of_the_first_split(found):
    cat, dog = found().classes
    assert (cat.label, cat.split, cat.images) == ("cat", "train", 4)
    assert len(cat.paths) == 3
    assert len({"copy.png", "1.png"} & {Path(path).name for path in cat.paths}) == 1
    assert (dog.label, dog.paths) == ("dog", ("train/dog/0.png",))


def test_a_limit_takes_the_first_of_the_same_order(found):
    assert found(per_class=2).classes[0].paths == found().classes[0].paths[:2]


def test_a_new_image_moves_none_of_the_others(found, tmp_path):
    before = found().classes[0].paths
    save(tmp_path / "train/cat/new.png", 200)
    assert [path for path in found().classes[0].paths if path != "train/cat/new.png"] == list(before)


def test_of_many_classes_the_largest_and_the_rarest(tmp_path):
    for label in range(6):
        for number in range(label + 1):
            save(tmp_path / f"data/train/c{label}/{number}.png", 40 * label + number)
        save(tmp_path / f"data/val/c{label}/0.png", 40 * label + 9)
    chosen = examples(survey_dataset(DataSection(root=tmp_path / "data"), 0), classes=4)
    assert [one.label for one in chosen.classes] == ["c0", "c1", "c4", "c5"]
    assert chosen.left_out == 2
