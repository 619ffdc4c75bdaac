"""clf.contract: to JSON and back, for any labels; what is refused; labels_mapping.json."""

import json
import math
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clf_cli.values.contract import CONTRACT_KEY, Contract, NewerContractError, Score, labels_mapping
from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import Preprocess

HARD = ("", "0", "00", "01", "1", "None", "ü", "ß", "字", "a\nb", '"', " ", "null")
CONTRACT = Contract(
    labels=Labels(HARD),
    preprocess=Preprocess(96, 128, "letterbox", "bilinear", 0.9, (0.5, 0.25, 0.1), (1.0, 0.2, 0.3), (1, 2, 3)),
    arch="resnet18",
    weights="ema",
    score=Score("val/acc_top1", "val", 0.93, "ema"),
    run_id="0123456789ab",
    data_fingerprint="sha256:00",
    clf="0.1.0",
)

text = st.text(st.characters(codec="utf-8"), max_size=8)
fractions = st.floats(0.001, 1, allow_nan=False)
preprocesses = st.builds(
    Preprocess,
    height=st.integers(1, 2048),
    width=st.integers(1, 2048),
    resize_mode=st.sampled_from(["squash", "crop", "letterbox"]),
    interpolation=st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos"]),
    crop_share=fractions,
    mean=st.tuples(fractions, fractions, fractions),
    std=st.tuples(fractions, fractions, fractions),
    background=st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255)),
)


@st.composite
def contracts(draw):
    weights = draw(st.sampled_from(["ema", "live"]))
    metric = st.sampled_from(["val/acc_top1", "val/loss"])
    score = st.builds(
        Score, metric, st.sampled_from(["val", "test"]), st.none() | fractions, st.just(weights), st.booleans()
    )
    return Contract(
        labels=Labels(tuple(draw(st.lists(text, min_size=1, max_size=6, unique=True)))),
        preprocess=draw(preprocesses),
        arch=draw(text),
        weights=weights,
        score=draw(st.none() | score),
        run_id=draw(st.none() | text),
        data_fingerprint=draw(st.none() | text),
        clf=draw(text),
        output=draw(st.sampled_from(["logits", "probabilities"])),
    )


@given(contracts())
def test_json_and_back(contract):
    assert Contract.from_json(json.loads(json.dumps(contract.to_json(), allow_nan=False))) == contract
    assert Contract.from_json(json.loads(contract.metadata()[CONTRACT_KEY])) == contract


def test_keys_of_version_1():
    """Changing one is a changelog line and a new version."""
    data = CONTRACT.to_json()
    assert list(data) == [
        "version", "labels", "input", "output", "preprocess", "arch", "precision", "weights", "score", "temperature",
        "thresholds", "run_id", "data_fingerprint", "clf",
    ]  # fmt: skip
    assert data["input"] == {
        "name": "input", "layout": "NCHW", "dtype": "float32", "color": "RGB", "height": 96, "width": 128,
    }  # fmt: skip
    assert data["output"] == {"name": "logits", "kind": "logits"}
    assert data["preprocess"] == {
        "exif": True, "background": [1, 2, 3], "resize_mode": "letterbox", "interpolation": "bilinear",
        "engine": "pillow", "crop_share": 0.9, "mean": [0.5, 0.25, 0.1], "std": [1.0, 0.2, 0.3],
        "normalized_in_graph": False,
    }  # fmt: skip
    assert data["score"] == {
        "metric": "val/acc_top1", "split": "val", "value": 0.93, "precision": "fp32", "rescored": False,
    }  # fmt: skip


def test_plain_keys_of_other_readers():
    metadata = CONTRACT.metadata()
    assert json.loads(metadata["names"]) == {str(index): name for index, name in enumerate(HARD)}
    assert (metadata["imgsz"], metadata["task"]) == ("[96, 128]", "classify")


def test_labels_mapping():
    mapping = json.loads(json.dumps(labels_mapping(CONTRACT)))
    assert list(mapping) == ["num_classes", "class_to_idx", "idx_to_class", "normalization", "contract"]
    assert mapping["num_classes"] == len(HARD)
    assert all(mapping["idx_to_class"][str(index)] == name for name, index in mapping["class_to_idx"].items())
    assert set(mapping["class_to_idx"]) == set(HARD), "'', '0' and '00' are three classes"
    assert mapping["normalization"] == {"mean": [0.5, 0.25, 0.1], "std": [1.0, 0.2, 0.3]}
    assert Contract.from_json(mapping["contract"]) == CONTRACT


def test_unknown_keys_of_later_clf_are_ignored():
    assert Contract.from_json({**CONTRACT.to_json(), "later": 1}) == CONTRACT


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("version", 0, "not 1"),
        ("version", "1", "not 1"),
        ("version", True, "not 1"),
        ("labels", "abc", "a list of texts"),
        ("labels", [1, 2], "a list of texts"),
        ("labels", ["a", "b", "a"], "'a' more than once"),
        ("labels", [], "empty"),
        ("input", [], "an object"),
        ("input.name", 7, "not text"),
        ("input.layout", "NHWC", "not 'NCHW'"),
        ("input.dtype", "uint8", "not 'float32'"),
        ("input.color", "BGR", "not 'RGB'"),
        ("input.height", 0, "whole number"),
        ("input.height", True, "whole number"),
        ("input.height", 10**30, "whole number"),
        ("input.width", "96", "whole number"),
        ("preprocess", None, "an object"),
        ("preprocess.exif", False, "not true"),
        ("preprocess.exif", 1, "not true"),
        ("preprocess.engine", "opencv", "not 'pillow'"),
        ("preprocess.resize_mode", "stretch", "'squash' or 'crop' or 'letterbox'"),
        ("preprocess.interpolation", "area", "'bicubic'"),
        ("preprocess.normalized_in_graph", 0, "not true or false"),
        ("preprocess.crop_share", 0, "above 0"),
        ("preprocess.crop_share", 1.5, "at most 1"),
        ("preprocess.mean", [0.5], "three numbers"),
        ("preprocess.mean", 0.5, "three numbers"),
        ("preprocess.std", [0.5, 0.5, 0], "three numbers above 0"),
        ("preprocess.std", [0.5, 0.5, math.nan], "three numbers above 0"),
        ("preprocess.background", [0, 0, 256], "from 0 to 255"),
        ("weights", "average", "'ema' or 'live'"),
        ("weights", ["ema"], "'ema' or 'live'"),
        ("precision", "fp8", "'fp32' or 'fp16' or 'int8'"),
        ("output.name", None, "not text"),
        ("output.kind", "embedding", "'logits' or 'probabilities'"),
        ("arch", None, "not text"),
        ("score", 0.9, "an object"),
        ("score.value", "high", "a number"),
        ("score.rescored", None, "true or false"),
        ("score.precision", "fp64", "'fp32'"),
        ("run_id", 7, "text"),
        ("clf", None, "not text"),
    ],
)
def test_values_that_would_be_misread_are_refused_by_name(key, value, words):
    data = json.loads(json.dumps(CONTRACT.to_json()))
    *path, last = key.split(".")
    place = data[path[0]] if path else data
    place[last] = value
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        Contract.from_json(data)
    assert str(caught.value).startswith(key)


def every_key():
    data = CONTRACT.to_json()
    return [*data, *(f"{top}.{key}" for top in ("input", "output", "preprocess", "score") for key in data[top])]


@pytest.mark.parametrize("key", [key for key in every_key() if not key.endswith("precision")])
def test_a_missing_key_is_named(key):
    data = json.loads(json.dumps(CONTRACT.to_json()))
    *path, last = key.split(".")
    del (data[path[0]] if path else data)[last]
    with pytest.raises(KeyError) as caught:
        Contract.from_json(data)
    assert caught.value.args == (key,)


def test_a_contract_of_a_later_clf_is_told_from_a_broken_one():
    with pytest.raises(NewerContractError, match="version 2, this clf reads version 1"):
        Contract.from_json({"version": 2, "anything": "else"})


@given(st.recursive(st.none() | st.integers() | text, lambda inner: st.lists(inner) | st.dictionaries(text, inner)))
def test_anything_else_raises_what_is_promised(junk):
    for data in (junk, {**CONTRACT.to_json(), "input": junk}, {**CONTRACT.to_json(), "preprocess": junk}):
        with pytest.raises((KeyError, ValueError)):
            Contract.from_json(data)


def test_a_score_of_other_weights_does_not_survive():
    """The contract has one kind of weights; the score in it belongs to them."""
    crossed = replace(CONTRACT, score=Score("val/acc_top1", "val", 0.93, "live"))
    read = Contract.from_json(crossed.to_json())
    assert read.score is not None
    assert read.score.weights == "ema"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"temperature": 0}, "not a positive number"),
        ({"temperature": -1.5}, "not a positive number"),
        ({"temperature": "warm"}, "not a positive number"),
        ({"temperature": float("inf")}, "not a positive number"),
        ({"thresholds": [0.5]}, "one for each class"),
        ({"thresholds": 0.5}, "from 0 to 1"),
        ({"thresholds": [0.5, 1.5, None]}, "from 0 to 1"),
        ({"thresholds": ["0.5", 0.5, None]}, "from 0 to 1"),
    ],
)
def test_a_calibration_that_means_nothing_is_refused(changes, words):
    contract = replace(CONTRACT, labels=Labels(("a", "b", "c")), temperature=1.5, thresholds=(0.0, 1.0, None))
    assert Contract.from_json(contract.to_json()) == contract
    with pytest.raises(ValueError, match=words):
        Contract.from_json({**contract.to_json(), **changes})
