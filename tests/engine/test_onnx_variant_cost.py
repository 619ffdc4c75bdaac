"""What a narrower file costs, in numbers and words."""

from dataclasses import replace

import numpy as np
import pytest

from clf_cli.engine.onnx_variant_cost import ClassLoss, cost_of
from clf_cli.values.labels import Labels
from clf_cli.values.onnx_gates import DEFAULTS
from clf_cli.values.predictions import Predictions

LABELS = Labels(("", "a", "b"))


def predictions(predicted, targets=None):
    logits = np.eye(3, dtype=np.float32)[list(predicted)]
    targets = np.array(predicted if targets is None else targets)
    return Predictions(tuple(f"{i}.png" for i in range(len(predicted))), targets, logits, LABELS)


EXPECTED = predictions([0, 0, 1, 1, 2, 2, 2, 2, 2, 2])
ANSWERS = predictions([0, 1, 1, 1, 2, 2, 2, 2, 0, 0], EXPECTED.targets)


def test_numbers():
    cost = cost_of("int8", "val", EXPECTED, ANSWERS)
    assert (cost.images, cost.agreement, cost.accuracy_fp32, cost.accuracy) == (10, 0.7, 1.0, 0.7)
    assert cost.drop == pytest.approx(0.3)
    assert cost.worst == (ClassLoss("b", 6, 6, 4), ClassLoss("", 2, 2, 1))
    assert str(cost.worst[1]) == "(empty) (2 to 1 of 2 right)"
    assert cost.to_json()["worst"][0] == {"label": "b", "images": 6, "before": 6, "after": 4}


def test_words():
    cost = cost_of("int8", "val", EXPECTED, ANSWERS)
    assert cost.line == (
        "int8 costs 30.0 points of val/acc_top1: 100.0 to 70.0 %, 70.0 % of answers equal (10 images)."
    )
    better = cost_of("int8", "test", ANSWERS, EXPECTED)
    assert better.line.startswith("int8 gains 30.0 points of test/acc_top1: 70.0 to 100.0 %")


def test_gates():
    cost = cost_of("int8", "val", EXPECTED, ANSWERS)
    assert cost.reasons(DEFAULTS["int8"]) == (
        "70.0 % of the answers are equal, not 95.0 %",
        "accuracy falls from 100.0 to 70.0 %, by more than 1 points",
    )
    assert cost.reasons(replace(DEFAULTS["int8"], min_agreement=0.7, max_accuracy_drop=0.31)) == ()


def test_a_share_is_never_rounded_up_to_its_gate():
    cost = replace(cost_of("int8", "val", EXPECTED, ANSWERS), agreement=0.94999)
    assert cost.reasons(DEFAULTS["int8"])[0] == "94.9 % of the answers are equal, not 95.0 %"


def test_logits_that_are_no_numbers_agree_with_nothing():
    broken = replace(EXPECTED, logits=EXPECTED.logits * np.float32(np.nan))
    assert cost_of("fp16", "val", EXPECTED, broken).agreement == 0
