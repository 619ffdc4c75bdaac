import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clf_cli.engine.intervals import wilson
from clf_cli.engine.metrics import metrics
from clf_cli.engine.slices import Grouping, slices
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions

VALUES = st.sampled_from([None, "", "a", "b", "1", 1, 1.5, True, False, ["a"], ["a", "b"], {"x": 1}])


def predictions_of(images, classes, seed=0):
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, classes, images)
    logits = rng.normal(size=(images, classes)).astype(np.float32)
    logits[np.arange(images), targets] += 1
    return Predictions(tuple(map(str, range(images))), targets, logits, Labels.of(map(str, range(classes))))


def part_of(p, chosen):
    paths = tuple(path for path, there in zip(p.paths, chosen, strict=True) if there)
    return Predictions(paths, p.targets[chosen], p.logits[chosen], p.labels)


@given(st.integers(0, 1000), st.lists(VALUES, min_size=1, max_size=60))
def test_a_slice_scores_as_its_images_alone(seed, values):
    p = predictions_of(len(values), 4, seed)
    found = slices(p, Grouping("metadata.camera", tuple(values)))
    texts = np.array([json.dumps(value) for value in values])
    assert sum(part.images for part in found) == len(values)
    assert {json.dumps(part.value) for part in found} == set(texts)
    for part in found:
        alone = metrics(part_of(p, texts == json.dumps(part.value)))
        assert part.images == len(alone.predictions)
        assert part.classes == np.count_nonzero(alone.per_class.support)
        assert (part.acc_top1, part.f1_macro, part.loss) == pytest.approx((alone.acc_top1, alone.f1_macro, alone.loss))
        assert part.acc_top1_interval == alone.intervals["acc_top1"]


def test_the_largest_come_first_and_equal_ones_in_the_order_of_their_text():
    p = predictions_of(9, 3)
    values = ("b", "a", None, None, 1, 1, 1, True, "1")
    found = slices(p, Grouping("k", values))
    assert [(part.value, part.images) for part in found] == [
        (1, 3), (None, 2), ("1", 1), ("a", 1), ("b", 1), (True, 1),
    ]  # fmt: skip


def test_report_form():
    p = predictions_of(4, 6)
    result = metrics(p, [Grouping("a", ("x", "x", "x", float("nan"))), Grouping("b.c", (1, 1, 1, 1))]).to_result()
    assert [(part["by"], part["value"], part["images"]) for part in result["slices"]] == [
        ("a", "x", 3), ("a", None, 1), ("b.c", 1, 4),
    ]  # fmt: skip
    whole = result["slices"][2]
    assert list(whole) == ["by", "value", "images", "classes", "acc_top1", "f1_macro", "loss", "intervals"]
    assert (whole["acc_top1"], whole["loss"]) == pytest.approx((result["acc_top1"], result["loss"]))
    assert whole["intervals"] == {"acc_top1": wilson(4 * whole["acc_top1"], 4).tolist()}


def test_a_slice_per_image_is_fast():
    p = predictions_of(20_000, 200)
    assert len(slices(p, Grouping("id", tuple(range(20_000))))) == 20_000
