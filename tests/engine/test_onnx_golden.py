"""Golden samples: which images, and that they come back as they were written."""

import json
from dataclasses import replace

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
    stored_images,
    write_golden,
)
from clf_cli.errors import ModelError
from clf_cli.values.labels import Labels
from clf_cli.values.onnx_files import files_beside
from clf_cli.values.predictions import LOG_FLOOR, Predictions, log_probabilities, softmax
from clf_cli.values.preprocess import normalize
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
    assert (index["labels"], index["output"], index["precision"]) == (list(LABELS), "logits", "fp32")
    assert index["tolerances"] == {"onnxruntime": 1e-4, "others": 1e-3, "from_file": 1e-4}
    sample = index["samples"][2]
    assert {key: sample[key] for key in ("image", "input", "logits", "source", "label")} == {
        "image": "2.png", "input": "2.input.npy", "logits": "2.logits.npy", "source": "val/2.png", "label": "00",
    }  # fmt: skip
    assert sample["predicted"] == LABELS.names[golden.logits[2].argmax()]
    assert 0 < sample["probability"] <= 1


def test_pixels_in_and_probabilities_out(tmp_path):
    """The stored tensor is what the file takes, the stored answer what it gives; read back, logits are logits."""
    network = linear().classifier()
    pixels = replace(network.preprocess, normalized_in_graph=True)
    file = replace(network, preprocess=pixels, output="probabilities", precision="int8", logits=None)
    golden = golden_of(images(), file, network)
    assert golden.inputs.dtype == np.uint8
    assert golden.inputs.shape[1:] == (8, 12, 3)
    logits = network.logits(normalize(golden.inputs, network.preprocess))
    np.testing.assert_array_equal(golden.logits, log_probabilities(logits))
    write_golden(tmp_path / "golden", golden)
    again = read_golden(tmp_path / "golden")
    assert (again.output, again.precision) == ("probabilities", "int8")
    np.testing.assert_array_equal(again.inputs, golden.inputs)
    np.testing.assert_allclose(again.logits, golden.logits, atol=1e-5)
    stored = np.stack([np.load(tmp_path / "golden" / f"{i}.probabilities.npy") for i in range(len(golden))])
    assert stored.dtype == np.float32
    np.testing.assert_allclose(stored, softmax(logits), rtol=1e-5, atol=LOG_FLOOR)
    assert not list((tmp_path / "golden").glob("*.logits.npy"))
    index = json.loads((tmp_path / "golden" / "index.json").read_text(encoding="utf-8"))
    for sample, row in zip(index["samples"], stored, strict=True):
        assert (sample["predicted"], sample["probability"]) == (LABELS.names[row.argmax()], pytest.approx(row.max()))


def test_a_probability_of_zero_comes_back(tmp_path):
    """float32 has no room for exp(-1000); the floor of the logarithm stands for it."""
    network = linear().classifier()
    sure = replace(network, logits=lambda inputs: 1000 * network.logits(inputs), output="logits")
    golden = golden_of(images(), replace(network, output="probabilities"), sure)
    write_golden(tmp_path / "golden", golden)
    np.testing.assert_allclose(read_golden(tmp_path / "golden").logits, golden.logits, atol=1e-4)


def test_earlier_samples_are_read(tmp_path):
    """Before there were variants, the index named neither precision nor output."""
    golden = golden_of(images(), linear().classifier())
    write_golden(tmp_path / "golden", golden)
    change(tmp_path / "golden", lambda index: [index.pop(key) for key in ("output", "precision", "tolerances")])
    again = read_golden(tmp_path / "golden")
    assert (again.output, again.precision) == ("logits", "fp32")
    np.testing.assert_array_equal(again.logits, golden.logits)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda index: index.update(version=2), "version 2, this clf reads version 1"),
        (lambda index: index.update(output="scores"), "does not know fp32 scores"),
        (lambda index: index.update(labels=["a", "b"]), r"logits are \(5,\), there are 2 labels"),
        (lambda index: index.update(samples=[]), "need at least one array"),
    ],
)
def test_index_that_says_something_else(tmp_path, edit, message):
    write_golden(tmp_path / "golden", golden_of(images(), linear().classifier()))
    change(tmp_path / "golden", edit)
    with pytest.raises(ModelError, match=message):
        read_golden(tmp_path / "golden")


def test_sample_that_is_cut_short(tmp_path):
    write_golden(tmp_path / "golden", golden_of(images(), linear().classifier()))
    (tmp_path / "golden" / "3.input.npy").write_bytes(b"")
    with pytest.raises(ModelError, match="cannot be read"):
        read_golden(tmp_path / "golden")


def change(folder, edit):
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    edit(index)
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")


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


def test_an_export_goes_on_without_earlier_samples_that_cannot_be_read(tmp_path):
    """Reading them says that an export would write them again."""
    model, classifier = tmp_path / "model.onnx", linear().classifier()
    write_golden(files_beside(model).golden, golden_of(images(), classifier))
    assert len(stored_images(classifier, model)[0]) == len(images())
    (files_beside(model).golden / "0.png").write_bytes(b"cut short")
    found, note = stored_images(classifier, model)
    assert found == ()
    assert "No golden samples" in note
