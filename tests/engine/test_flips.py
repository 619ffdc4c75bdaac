import json

import numpy as np
import pytest

from clf_cli.engine.flips import flipped, flips
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions
from clf_cli.values.report import ModelRef, Report

ABC, CBA = Labels(("a", "b", "c")), Labels(("c", "x", "b", "a"))
REF = ModelRef("model.onnx", "arch", "ema", None)
NAMED = ("other.onnx", REF)


def said(labels, true, answers, margin=5.0):
    """Predictions of images 0, 1, ...: classes by name; the first logit of the answer is `margin` above the others."""
    logits = np.zeros((len(true), len(labels)), np.float32)
    logits[np.arange(len(true)), [labels.indices[name] for name in answers]] = margin
    targets = np.array([labels.indices[name] for name in true], dtype=np.int64)
    return Predictions(tuple(f"{i:02d}.png" for i in range(len(true))), targets, logits, labels)


def test_classes_are_matched_by_name_not_by_index():
    ours, theirs = said(ABC, "abc", "abc"), said(CBA, "abc", "abc")
    assert ours.predicted.tolist() != theirs.predicted.tolist()
    assert flipped(ours, theirs).tolist() == []
    assert flipped(ours, said(CBA, "abc", "axc")).tolist() == [1]


def test_who_is_right_is_counted_over_all_flips():
    result = flips(said(ABC, "aaaabc", "aabbbc"), said(CBA, "aaaabc", "abacbx"), NAMED, count=2)
    assert (result.images, result.total, result.ties) == (6, 4, 0)
    assert (result.only_model_right, result.only_other_right, result.neither_right) == (2, 1, 1)
    assert len(result.flips) == 2


def test_each_kind_is_shown_and_in_its_order():
    ours, theirs = said(ABC, "a" * 30, "a" * 20 + "b" * 10), said(ABC, "a" * 30, "b" * 20 + "a" * 3 + "c" * 7)
    shown = flips(ours, theirs, NAMED, count=9).flips
    kinds = [0 if flip.model.correct else 1 if flip.other.correct else 2 for flip in shown]
    assert kinds == [0] * 3 + [1] * 3 + [2] * 3
    assert flips(ours, theirs, NAMED, count=9, seed=1).flips != shown


def test_a_model_agrees_with_itself():
    ours = said(ABC, "abc", "bbb")
    result = flips(ours, ours, NAMED)
    assert (result.total, result.flips, result.images) == (0, (), 3)


@pytest.mark.parametrize(("ours", "theirs"), [(1e-6, 5.0), (5.0, 1e-6), (1e-6, 1e-6)])
def test_an_undecided_model_makes_a_tie(ours, theirs):
    result = flips(said(ABC, "aa", "aa", ours), said(ABC, "aa", "ab", theirs), NAMED)
    assert result.ties == 1
    assert result.flips[0].tie


def test_the_report_holds_both_answers():
    result = flips(said(ABC, "ab", "ac"), said(CBA, "ab", "ab"), NAMED)
    value = json.loads(json.dumps(Report(result, REF).to_json(), allow_nan=False))
    assert value["kind"] == "flips"
    assert value["result"]["other"] == {
        "name": "other.onnx",
        "path": "model.onnx",
        "arch": "arch",
        "weights": "ema",
        "run_id": None,
    }
    (sample,) = value["result"]["samples"]
    assert (sample["path"], sample["true"], sample["tie"]) == ("01.png", "b", False)
    assert (sample["predicted"], sample["correct"]) == ("c", False)
    assert (sample["other_predicted"], sample["other_correct"]) == ("b", True)
    assert 0 < sample["confidence"] < 1
    assert 0 < sample["other_confidence"] < 1
