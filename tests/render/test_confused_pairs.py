import warnings

import numpy as np
import pytest
from PIL import Image

from clf_cli.engine.confusion import ConfusionResult, confusion
from clf_cli.render.confused_pairs import PAIRS, TILE, drawn_pairs, figure
from clf_cli.render.figures import save_figure
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions


def result(names, images=300):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(images, len(names))).astype(np.float32)
    targets = rng.integers(0, len(names), images)
    return confusion(Predictions(tuple(f"{i}.png" for i in range(images)), targets, logits, Labels(names)))


def pixels(of):
    return {path: np.full((9, 6, 3), 77, np.uint8) for pair in drawn_pairs(of) for path in pair.examples}


def texts(of):
    return [text.get_text() for text in figure(of, pixels(of), "x, val").texts]


@pytest.mark.parametrize("names", [("a", "b"), tuple(f"c{i}" for i in range(9)), ("", "$x_1$" * 30, "日本")])
def test_a_row_for_each_pair(tmp_path, names):
    of = result(names)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_figure(figure(of, pixels(of), "x, val"), tmp_path / "x.png")
    rows = min(PAIRS, len(names) * (len(names) - 1))
    with Image.open(tmp_path / "x.png") as image:
        assert image.height == 2 * (62 + rows * (TILE + 10))
    grey = (np.asarray(Image.open(tmp_path / "x.png").convert("RGB")) == 77).all(axis=2)
    assert grey.sum() > 0


def test_what_is_said_of_a_pair():
    counts = np.array([[5, 30], [1, 4]])
    of = ConfusionResult(Labels(("", "b")), counts, {(0, 1): ("1.png", "2.png"), (1, 0): ("3.png",)})
    found = texts(of)
    assert found[:2] == [
        "Most confused classes: x, val",
        "true → predicted · 31 of 40 images wrong, in 2 pairs of classes",
    ]
    assert found[2:5] == ["(empty) → b", "30 images, 85.7 % of the class", "2 of them shown"]
    assert found[5:] == ["b → (empty)", "1 image, 20.0 % of the class"]


def test_of_many_pairs_those_with_the_most_images():
    assert texts(result(tuple("abcdefgh")))[1].endswith("in 56 pairs of classes · the 10 with the most images")


def test_nothing_is_wrong(tmp_path):
    of = ConfusionResult(Labels(("a", "b")), np.array([[3, 0], [0, 4]]))
    assert texts(of)[1] == "none of 7 images is wrong"
    save_figure(figure(of, {}), tmp_path / "x.png")
