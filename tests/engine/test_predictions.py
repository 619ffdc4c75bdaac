"""Predictions of named images: in order, each as if alone, calibrated by plain arithmetic, honest about the rest."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clf_cli.data.images import UnreadableImageError, open_image
from clf_cli.data.named_images import NamedImage
from clf_cli.engine.predictions import (
    PredictionsResult,
    Tally,
    calibrated_probabilities,
    is_answered,
    predict_images,
    uncalibrated,
)
from clf_cli.errors import ModelError
from clf_cli.values.prediction import Candidate, Prediction
from clf_cli.values.predictions import EVAL_BATCH, softmax
from clf_cli.values.preprocess import preprocess_image
from tests.onnx_models import CONTRACT, LABELS, linear

MODEL = linear().classifier()


def image(seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (9, 7, 3), dtype=np.uint8))


def told(classifier, images, top=5):
    return [one for batch in predict_images(classifier, images, top) for one in batch]


def logits_of(picture):
    return linear()(preprocess_image(picture, CONTRACT.preprocess)[None])[0]


def test_each_image_is_told_as_its_logits_say():
    pictures = [image(seed) for seed in range(5)]
    found = told(MODEL, [NamedImage(f"{number}.png", picture) for number, picture in enumerate(pictures)])

    assert [one.path for one in found] == [f"{number}.png" for number in range(5)]
    for one, picture in zip(found, pictures, strict=True):
        shares = softmax(logits_of(picture))
        order = np.argsort(-shares)
        assert (one.index, one.label, one.error) == (order[0], LABELS.names[order[0]], None)
        assert [candidate.label for candidate in one.top] == [LABELS.names[index] for index in order]
        assert [candidate.probability for candidate in one.top] == pytest.approx(shares[order])
        assert one.probability == one.top[0].probability
        np.testing.assert_allclose(one.logits, logits_of(picture), rtol=1e-6)


def test_files_are_opened_in_the_one_way(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    image().save(tmp_path / "turned.png", exif=exif)
    path = tmp_path / "turned.png"
    (from_file,) = told(MODEL, [NamedImage("x", path)])
    (from_pixels,) = told(MODEL, [NamedImage(None, open_image(path))])
    assert open_image(path).size == (9, 7)
    assert from_file.top == from_pixels.top
    assert from_pixels.path is None


@pytest.mark.parametrize("top", [1, 3, 5, 99])
def test_as_many_candidates_as_asked_for_and_as_there_are(top):
    (one,) = told(MODEL, [NamedImage("x", image())], top)
    assert len(one.top) == min(top, len(LABELS))


def test_equal_logits_rank_by_index():
    equal = replace(MODEL, logits=lambda images: np.zeros((len(images), len(LABELS)), np.float32))
    (one,) = told(equal, [NamedImage("x", image())])
    assert [candidate.label for candidate in one.top] == list(LABELS)
    assert one.index == 0


def test_unreadable_images_keep_their_places(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    good = NamedImage("good", image())
    names = [
        NamedImage("gone", UnreadableImageError("no such file")),
        good,
        NamedImage("broken", tmp_path / "broken.png"),
        good,
    ]
    found = told(MODEL, names)
    assert [one.path for one in found] == ["gone", "good", "broken", "good"]
    assert [one.error for one in found] == ["no such file", None, "not an image of a known format", None]
    assert found[1] == found[3]
    assert found[0] == Prediction("gone", error="no such file")
    assert not found[0].abstained


def test_a_batch_of_unreadable_images_asks_the_network_nothing():
    silent = replace(MODEL, logits=lambda images: pytest.fail("nothing to ask"))
    assert told(silent, [NamedImage("gone", UnreadableImageError("no such file"))] * 3)[2].error == "no such file"


def test_batches_are_those_of_validation():
    sizes = []

    def logits(images):
        sizes.append(len(images))
        return linear()(images)

    told(replace(MODEL, logits=logits), [NamedImage("x", image())] * (EVAL_BATCH + 3))
    assert sizes == [EVAL_BATCH, 3]


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_model_that_answers_with_no_number_is_an_error(broken):
    def logits(images):
        answer = linear()(images)
        answer[-1, 2] = broken
        return answer

    with pytest.raises(ModelError, match="NaN or infinity"):
        told(replace(MODEL, logits=logits), [NamedImage("x", image())])


# Calibration


@given(st.lists(st.floats(-20, 20), min_size=2, max_size=6), st.floats(0.1, 10))
def test_the_temperature_divides_the_logits(logits, temperature):
    row = np.array([logits], dtype=np.float32)
    found = calibrated_probabilities(row, temperature)
    expected = np.exp(row[0].astype(np.float64) / temperature)
    np.testing.assert_allclose(found[0], expected / expected.sum())
    np.testing.assert_array_equal(calibrated_probabilities(row, None), softmax(row))


def test_a_temperature_keeps_the_order_and_moves_the_probabilities():
    (plain,) = told(MODEL, [NamedImage("x", image())])
    (soft,) = told(replace(MODEL, temperature=3.0), [NamedImage("x", image())])
    assert [one.label for one in soft.top] == [one.label for one in plain.top]
    assert soft.probability < plain.probability
    np.testing.assert_array_equal(soft.logits, plain.logits)


def test_a_threshold_is_the_least_probability_to_answer_with():
    assert is_answered(1, 0.5, (None, 0.5))
    assert not is_answered(1, 0.4999, (None, 0.5))
    assert not is_answered(0, 1.0, (None, 0.5))
    assert is_answered(0, 0.0, None)


def test_an_abstaining_model_still_lists_its_candidates():
    never = replace(MODEL, thresholds=(None,) * len(LABELS), temperature=2.0)
    (one,) = told(never, [NamedImage("x", image())])
    (plain,) = told(uncalibrated(never), [NamedImage("x", image())])
    assert (one.label, one.index, one.error) == (None, None, None)
    assert one.abstained
    assert one.probability == one.top[0].probability
    assert one.top[0].label == plain.label
    assert plain == told(MODEL, [NamedImage("x", image())])[0]


# Tallies and the document


def test_tallies_add():
    predictions = [
        Prediction("a", "cat", 0, 0.9, (Candidate("cat", 0.9),)),
        Prediction("b", "", 1, 0.8, (Candidate("", 0.8),)),
        Prediction("c", None, None, 0.3, (Candidate("cat", 0.3),)),
        Prediction("d", error="no such file"),
    ]
    whole = Tally.of(predictions)
    assert whole == Tally(images=4, abstained=1, unreadable=1, seen=frozenset({"cat", ""}))
    for cut in range(5):
        assert Tally.of(predictions[:cut]) + Tally.of(predictions[cut:]) == whole
    result = PredictionsResult(tuple(predictions)).to_result()
    assert (result["images"], result["abstained"], result["unreadable"], result["calibrated"]) == (4, 1, 1, False)
    assert result["predictions"] == [one.to_json() for one in predictions]
    assert result["predictions"][3] == {
        "path": "d", "label": None, "index": None, "probability": None, "top": [], "error": "no such file",
    }  # fmt: skip


def test_a_broken_model_is_named_by_its_file():
    nowhere = replace(MODEL, path=Path("runs/x/best.ckpt"), logits=lambda images: np.full((1, 5), np.nan, np.float32))
    with pytest.raises(ModelError, match=r"best\.ckpt"):
        told(nowhere, [NamedImage("x", image())])
