"""Golden samples: which images, and that they come back as they were written."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clf_cli.engine.onnx_golden import (
    GOLDEN,
    LONGEST_SIDE,
    GoldenImage,
    choose_golden,
    golden_images,
    golden_of,
    read_golden,
    write_golden,
)
from clf_cli.errors import ModelError
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions
from tests.onnx_models import LABELS, linear


def predictions(correct):
    """Class 0 is predicted for every image; it is right where `correct`."""
    logits = np.tile(np.array([1, 0], np.float32), (len(correct), 1))
    targets = np.array([0 if right else 1 for right in correct], dtype=np.int64)
    return Predictions(tuple(f"{i}.png" for i in range(len(correct))), targets, logits, Labels(("a", "b")))


@given(st.lists(st.booleans(), max_size=40))
def test_choice(correct):
    chosen = choose_golden(predictions(correct))
    wrong = sum(not correct[i] for i in chosen)
    assert list(chosen) == sorted(set(chosen))
    assert len(chosen) == min(GOLDEN, len(correct))
    if correct.count(False) and correct.count(True) and len(correct) >= GOLDEN:
        assert 0 < wrong < GOLDEN, "both kinds, where there are both"


def images():
    rng = np.random.default_rng(0)
    return tuple(
        GoldenImage(f"val/{i}.png", name, rng.integers(0, 256, (9 + i, 20, 3), dtype=np.uint8))
        for i, name in enumerate([*LABELS, None])
    )


def test_written_and_read(tmp_path):
    golden = golden_of(images(), linear().classifier())
    write_golden(tmp_path / "golden", golden)
    again = read_golden(tmp_path / "golden")
    assert again.labels == LABELS
    np.testing.assert_array_equal(again.inputs, golden.inputs)
    np.testing.assert_array_equal(again.logits, golden.logits)
    for one, other in zip(again.images, golden.images, strict=True):
        assert (one.source, one.label) == (other.source, other.label)
        np.testing.assert_array_equal(one.pixels, other.pixels)


def test_index(tmp_path):
    golden = golden_of(images(), linear().classifier())
    write_golden(tmp_path / "golden", golden)
    index = json.loads((tmp_path / "golden" / "index.json").read_text(encoding="utf-8"))
    assert index["version"] == 1
    sample = index["samples"][2]
    assert {key: sample[key] for key in ("image", "input", "logits", "source", "label")} == {
        "image": "2.png", "input": "2.input.npy", "logits": "2.logits.npy", "source": "val/2.png", "label": "00",
    }  # fmt: skip
    assert sample["predicted"] == LABELS.names[golden.logits[2].argmax()]
    assert 0 < sample["probability"] <= 1


@pytest.mark.parametrize("lost", ["index.json", "0.png", "1.input.npy", "2.logits.npy"])
def test_folder_that_is_not_whole(tmp_path, lost):
    write_golden(tmp_path / "golden", golden_of(images(), linear().classifier()))
    (tmp_path / "golden" / lost).unlink()
    with pytest.raises(ModelError, match="golden") as caught:
        read_golden(tmp_path / "golden")
    assert lost in caught.value.message
    assert caught.value.hint


def test_index_without_labels(tmp_path):
    (tmp_path / "index.json").write_text('{"samples": []}')
    with pytest.raises(ModelError, match="lacks the key 'labels'"):
        read_golden(tmp_path)


def test_images_are_opened_upright_and_small(tmp_path):
    class Data:
        root = tmp_path

    turned = Image.new("RGB", (40, 20))
    turned.getexif()[0x0112] = 6
    turned.save(tmp_path / "0.png", exif=turned.getexif())
    Image.new("RGB", (3000, 30), (200, 0, 0)).save(tmp_path / "1.png")
    found = golden_images(Data, predictions([True, False, True]))
    assert [(image.source, image.label) for image in found] == [("0.png", "a"), ("1.png", "b")], "2.png is gone"
    assert found[0].pixels.shape == (40, 20, 3)
    assert max(found[1].pixels.shape) == LONGEST_SIDE
