"""Two models on the same images: counts, the tests on them against references, gates, and what swapping does."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as with_options
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, f1_score, log_loss

from clf_cli.engine.compare import Contender, accuracy_interval, compare, mcnemar_p
from clf_cli.errors import CheckFailedError
from clf_cli.settings.sections import CompareSection
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions, softmax
from clf_cli.values.report import ModelRef, plain

LABELS = Labels(("", "7", "a", "b"))
REF = ModelRef("best.ckpt", "by-hand", "live", "abc")
NO_GATES = CompareSection()


def predictions(targets, answers, labels=LABELS, seed=0):
    """The model answers `answers`, clearly."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(len(targets), len(labels))).astype(np.float32)
    logits[np.arange(len(targets)), answers] = logits.max(axis=1) + 1
    paths = tuple(f"{number:03d}.png" for number in range(len(targets)))
    return Predictions(paths, np.array(targets, dtype=np.int64), logits, labels)


def compared(targets, ours, theirs, gates=NO_GATES, seed=0):
    a, b = (predictions(targets, answers, seed=number) for number, answers in enumerate((ours, theirs)))
    return compare(Contender("A", REF, a), Contender("B", REF, b), gates, seed)


quick = with_options(max_examples=25)
indices = st.integers(0, len(LABELS) - 1)
triples = st.lists(st.tuples(indices, indices, indices), min_size=2, max_size=40).map(
    lambda rows: tuple(zip(*rows, strict=True))
)


# McNemar's test


@given(st.integers(0, 400), st.integers(0, 400))
def test_p_is_that_of_the_exact_binomial_test(worse, better):
    expected = binomtest(worse, worse + better).pvalue if worse + better else 1.0
    assert mcnemar_p(worse, better) == pytest.approx(expected, rel=1e-10)
    assert mcnemar_p(worse, better) == mcnemar_p(better, worse)
    assert 0 <= mcnemar_p(worse, better) <= 1


@pytest.mark.parametrize(
    ("worse", "better", "p"), [(0, 0, 1), (1, 0, 1), (5, 0, Fraction(1, 16)), (1, 6, Fraction(1, 8)), (4, 4, 1)]
)
def test_p_by_hand(worse, better, p):
    assert mcnemar_p(worse, better) == pytest.approx(float(p), rel=1e-13)


def test_p_of_many_images():
    assert mcnemar_p(500_000, 501_500) == pytest.approx(binomtest(500_000, 1_001_500).pvalue, rel=1e-6)
    assert mcnemar_p(0, 5_000) == 0.0


def test_p_falls_as_the_split_grows_uneven():
    values = [mcnemar_p(20 - k, 20 + k) for k in range(21)]
    assert all(larger >= smaller for larger, smaller in pairwise(values))


# The interval


def test_the_interval_is_that_of_resampled_images():
    """The multinomial draw against the plain bootstrap, which resamples images one by one."""
    worse, better, images = 12, 25, 150
    steps = np.repeat([-1, 1, 0], [worse, better, images - worse - better])
    rng = np.random.default_rng(3)
    means = np.array([rng.choice(steps, images).mean() for _ in range(4000)])
    expected = np.quantile(means, (0.025, 0.975))
    assert accuracy_interval(worse, better, images, 0) == pytest.approx(expected, abs=0.01)


def test_the_interval_is_a_function_of_the_seed():
    assert accuracy_interval(3, 9, 50, 1) == accuracy_interval(3, 9, 50, 1)
    assert accuracy_interval(3, 9, 50, 1) != accuracy_interval(300, 9, 5000, 1)
    assert accuracy_interval(0, 0, 50, 1) == (0.0, 0.0)
    low, high = accuracy_interval(3, 9, 50, 1)
    assert low < 6 / 50 < high


# The whole


@quick
@given(triples)
def test_swapping_the_models_negates_every_difference(rows):
    targets, ours, theirs = rows
    one = compared(targets, ours, theirs)
    a, b = predictions(targets, theirs, seed=1), predictions(targets, ours, seed=0)
    other = compare(Contender("B", REF, a), Contender("A", REF, b), NO_GATES, 0)
    assert one.p == other.p
    for name, value in one.difference.items():
        assert value == pytest.approx(-other.difference[name], abs=1e-12)
    assert (one.outcomes.only_a_right, one.outcomes.only_b_right) == (
        other.outcomes.only_b_right,
        other.outcomes.only_a_right,
    )
    assert {(flip.path, flip.a, flip.b) for flip in one.flips} == {(flip.path, flip.b, flip.a) for flip in other.flips}
    for here, there in zip(one.classes, other.classes, strict=True):
        assert here.difference == pytest.approx(-there.difference, nan_ok=True)


@quick
@given(triples)
def test_every_image_has_one_outcome_and_flips_come_in_order(rows):
    targets, ours, theirs = (np.array(row) for row in rows)
    result = compared(*rows)
    found = result.outcomes
    assert found.both_right + found.only_a_right + found.only_b_right + found.both_wrong == len(targets)
    assert len(result.flips) == int((ours != theirs).sum())
    assert found.both_wrong_differently == int(((ours != theirs) & (ours != targets) & (theirs != targets)).sum())
    order = [("a", "b", None).index(flip.right) for flip in result.flips]
    assert order == sorted(order)
    for right in ("a", "b", None):
        paths = [flip.path for flip in result.flips if flip.right == right]
        assert paths == sorted(paths)


@quick
@given(triples)
def test_scores_are_scikit_learns(rows):
    targets, ours, theirs = (np.array(row) for row in rows)
    result = compared(*rows)
    for side, answers, seed in ((result.a, ours, 0), (result.b, theirs, 1)):
        shares = softmax(predictions(targets, answers, seed=seed).logits)
        macro = f1_score(targets, answers, labels=np.unique(targets), average="macro", zero_division=0)
        assert side.metrics.acc_top1 == pytest.approx(accuracy_score(targets, answers))
        assert side.metrics.f1_macro == pytest.approx(macro)
        assert side.metrics.loss == pytest.approx(log_loss(targets, shares, labels=range(len(LABELS))), abs=1e-9)
    for index, change in enumerate(result.classes):
        of_class = targets == index
        assert change.support == of_class.sum()
        if change.support:
            assert change.accuracy_b - change.accuracy_a == pytest.approx(change.difference)
            assert change.accuracy_b == pytest.approx((theirs[of_class] == index).mean())


def test_the_same_model_twice_is_identical():
    targets = [0, 1, 2, 3, 1]
    one = predictions(targets, [0, 1, 1, 3, 0])
    result = compare(Contender("A", REF, one), Contender("B", REF, one), NO_GATES, 0)
    assert result.identical
    assert (result.flips, result.p, result.interval) == ((), 1.0, (0.0, 0.0))
    assert not compared(targets, [0, 1, 1, 3, 0], [0, 1, 1, 3, 0]).identical, "the same answers, other logits"


def test_another_order_of_the_classes_is_no_difference():
    targets, answers = np.array([0, 1, 2, 3, 1]), np.array([0, 1, 1, 3, 0])
    one, order = predictions(targets, answers), [2, 0, 3, 1]
    position = np.argsort(order)
    moved = Predictions(
        one.paths, position[targets], one.logits[:, order], Labels(tuple(LABELS.names[i] for i in order))
    )
    result = compare(Contender("A", REF, one), Contender("B", REF, moved), NO_GATES, 0)
    assert result.identical
    assert (result.flips, result.only_in_a, result.only_in_b) == ((), (), ())
    assert result.difference == pytest.approx({"acc_top1": 0, "loss": 0, "f1_macro": 0})


def test_classes_that_only_one_knows_are_named():
    labels = Labels(("7", "b", "new", ""))
    a = predictions([0, 1, 3], [0, 1, 2])  # "", "7", "b" taken for "", "7", "a"
    b = predictions([3, 0, 1], [3, 2, 1], labels)  # the same images taken for "", "new", "b"
    result = compare(Contender("A", REF, a), Contender("B", REF, b), NO_GATES, 0)
    assert (result.only_in_a, result.only_in_b) == (("a",), ("new",))
    assert [(flip.true, flip.a, flip.b, flip.right) for flip in result.flips] == [
        ("7", "7", "new", "a"),
        ("b", "a", "b", "b"),
    ]
    assert not result.identical


def test_a_tie_of_either_model_is_told():
    one = predictions([0, 1, 2], [0, 1, 2])
    logits = one.logits.copy()
    logits[0] = [1, 1 + 1e-6, 0, 0]
    logits[1] = [5, 0, 0, 0]
    other = Predictions(one.paths, one.targets, logits, LABELS)
    for pair in ((one, other), (other, one)):
        result = compare(*(Contender("x", REF, each) for each in pair), NO_GATES, 0)
        assert [flip.tie for flip in result.flips] == [True, False]
        assert result.tied == 1


# Gates

TARGETS = [0] * 10 + [1] * 10
RIGHT = TARGETS


def with_errors(first, second):
    """So many wrong answers in each of the two classes."""
    return [2] * first + [0] * (10 - first) + [3] * second + [1] * (10 - second)


@pytest.mark.parametrize(
    ("limit", "ours", "theirs", "passed"),
    [
        (0.0, (0, 0), (0, 0), True),
        (0.05, (0, 0), (1, 0), True),  # equal to the limit
        (0.1, (1, 0), (2, 1), True),  # 0.95 - 0.85 > 0.1 in floats
        (0.1, (0, 0), (2, 1), False),
        (0.049, (0, 0), (0, 1), False),
        (0.0, (3, 2), (0, 1), True),
        (0.0, (1, 0), (0, 1), True),  # another image, the same accuracy
    ],
)
def test_the_gate_of_the_accuracy(limit, ours, theirs, passed):
    result = compared(TARGETS, with_errors(*ours), with_errors(*theirs), CompareSection(max_accuracy_drop=limit))
    (gate,) = result.gates
    assert (gate.name, gate.limit, gate.passed) == ("max_accuracy_drop", limit, passed)
    assert gate.value == pytest.approx((sum(theirs) - sum(ours)) / 20)
    if passed:
        result.raise_if_failed()
    else:
        with pytest.raises(CheckFailedError, match=r"B is worse than A: top-1 accuracy falls by .* more than 0"):
            result.raise_if_failed()


def test_the_gate_of_the_classes_names_them():
    gates = CompareSection(per_class_max_accuracy_drop=0.1)
    (gate,) = compared(TARGETS, RIGHT, with_errors(1, 0), gates).gates
    assert gate.passed
    assert gate.classes == ()
    result = compared(TARGETS, RIGHT, with_errors(2, 4), gates)
    (gate,) = result.gates
    assert (gate.passed, gate.classes, gate.value) == (False, ("7", ""), 0.4)
    with pytest.raises(CheckFailedError, match=r'accuracy on "7", "\(empty\)" falls by up to 0.4, more than 0.1'):
        result.raise_if_failed()


def test_both_gates_are_told_at_once():
    gates = CompareSection(max_accuracy_drop=0.0, per_class_max_accuracy_drop=0.0)
    with pytest.raises(CheckFailedError) as error:
        compared(TARGETS, RIGHT, with_errors(1, 0), gates).raise_if_failed()
    assert "top-1 accuracy falls by 0.05" in error.value.message
    assert 'accuracy on "(empty)" falls by up to 0.1' in error.value.message


def test_the_report():
    result = compared([0, 1, 2, 2], [0, 1, 2, 1], [0, 2, 2, 3], CompareSection(max_accuracy_drop=0.5))
    document = plain(result.to_result())
    assert document["a"]["model"] == {"path": "best.ckpt", "arch": "by-hand", "weights": "live", "run_id": "abc"}
    assert document["difference"]["acc_top1"] == -0.25
    assert document["outcomes"] == {
        "both_right": 2,
        "only_a_right": 1,
        "only_b_right": 0,
        "both_wrong": 1,
        "both_wrong_differently": 1,
    }
    assert document["per_class"][3] == {
        "class": "b",
        "support": 0,
        "accuracy_a": None,
        "accuracy_b": None,
        "difference": None,
    }
    assert document["flips"][0] == {
        "path": "001.png",
        "true": "7",
        "a": "7",
        "b": "a",
        "right": "a",
        "tie": False,
    }
    assert document["gates"] == [
        {"name": "max_accuracy_drop", "limit": 0.5, "value": 0.25, "passed": True, "classes": []}
    ]
