import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clf_cli.engine.synth import LEAST, SynthResult, plan_like, plan_set
from clf_cli.errors import DataError, UsageError
from clf_cli.settings.sections import SynthSection


@given(
    images=st.integers(1, 3000),
    classes=st.integers(2, 111),
    imbalance=st.floats(1, 100),
    empty=st.booleans(),
    seed=st.integers(0, 2**31 - 1),
)
def test_any_set_has_all_its_images_and_every_class_in_every_split(images, classes, imbalance, empty, seed):
    section = SynthSection(images=images, classes=classes, imbalance=imbalance, empty=empty)
    if images < LEAST * classes or (classes == 111 and not empty):
        with pytest.raises(UsageError) as caught:
            plan_set(section, seed)
        assert caught.value.hint
        return
    plan = plan_set(section, seed)
    assert plan.images == images
    assert list(plan.counts) == ["train", "val", "test"]
    labels = set(plan.counts["train"])
    assert len(labels) == classes
    assert ("" in labels) == empty
    assert all(set(split) == labels for split in plan.counts.values())
    assert min(plan.counts["train"].values()) >= 2
    assert min(plan.counts["val"].values()) >= 1
    assert min(plan.counts["test"].values()) >= 1


def totals(section: SynthSection, seed: int = 0) -> dict[str, int]:
    counts = plan_set(section, seed).counts
    return {label: sum(split[label] for split in counts.values()) for label in counts["train"]}


def test_the_default_set_has_the_hard_classes_and_the_imbalance_asked_for():
    sizes = totals(SynthSection())
    assert {"", "0", "00"} <= set(sizes)
    assert len(sizes) == 14
    assert max(sizes.values()) / min(sizes.values()) == pytest.approx(8, rel=0.1)
    ordered = sorted(sizes.values())
    steps = [after / before for before, after in itertools.pairwise(ordered)]
    assert max(steps) < 1.3  # geometric: no single jump
    counts = plan_set(SynthSection(), 0).counts
    assert sum(counts["train"].values()) / 1200 == pytest.approx(0.7, abs=0.01)


def test_without_imbalance_classes_are_equal_to_one_image():
    sizes = totals(SynthSection(images=1003, classes=10, imbalance=1)).values()
    assert max(sizes) - min(sizes) <= 1


def test_the_seed_decides_classes_and_their_sizes():
    section = SynthSection()
    assert plan_set(section, 3) == plan_set(section, 3)
    assert len({tuple(sorted(totals(section, seed).items())) for seed in range(5)}) == 5


def test_the_largest_number_of_classes_is_111_and_asking_for_more_than_there_are_says_how_many():
    labels = totals(SynthSection(images=1000, classes=111))
    assert {"", "0", "00", "1", "99", "01", "09"} <= set(labels)
    with pytest.raises(UsageError, match="only 110 jersey numbers") as caught:
        plan_set(SynthSection(images=1000, classes=111, empty=False), 0)
    assert "--classes 110" in str(caught.value.hint)


def test_too_few_images_names_the_least_number():
    with pytest.raises(UsageError, match="55 images are too few for 14 classes") as caught:
        plan_set(SynthSection(images=55), 0)
    assert "--images 56" in str(caught.value.hint)
    assert caught.value.exit_code == 2


def test_like_fills_each_rare_class_up_to_the_target_and_no_other():
    section = SynthSection(like="data", below=50, target=200)
    plan = plan_like(section, {"7": 10, "": 49, "8": 50, "banana": 3, "007": 1, "12345": 2, "٣": 4})
    assert plan.counts == {"train": {"": 151, "007": 199, "7": 190}}
    assert plan.left_out == ("12345", "banana", "٣")
    assert plan.like == "data"


def test_like_without_a_rare_class_or_without_a_drawable_one_is_a_data_error():
    section = SynthSection(like="data")
    with pytest.raises(DataError, match="Every class of data has 50 train images or more") as caught:
        plan_like(section, {"7": 50})
    assert "--below" in str(caught.value.hint)
    with pytest.raises(DataError, match="None of the 1 rare classes of data can be drawn: banana"):
        plan_like(section, {"7": 50, "banana": 3})


def test_a_target_under_below_is_a_usage_error():
    with pytest.raises(UsageError, match="--target 20 is under --below 50"):
        plan_like(SynthSection(like="data", target=20), {"7": 10})


def test_the_report_counts_in_label_order_and_null_for_no_data():
    section = SynthSection(images=60, classes=3)
    result = SynthResult(plan_set(section, 0), "out/x", 0)
    data = result.to_result()
    assert data["classes"] == ["", "0", "00"]
    assert data["images"] == 60 == sum(data["splits"].values())
    assert data["counts"]["val"] == [result.plan.counts["val"][label] for label in ["", "0", "00"]]
    assert data["like"] is None
    assert data["left_out"] == []
