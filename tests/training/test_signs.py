"""What is said of losses that jump or stand still, and of answers of one class."""

import math

import numpy as np
import pytest

from clf_cli.training.callbacks.signs import EPOCHS, answers_one_class, jumped, stands_still
from clf_cli.training.scores import EpochScores, Row
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions


def rows(losses: list[float], accuracy: float = 0.33) -> list[Row]:
    return [{"train/loss": loss, "train/acc_top1": accuracy} for loss in losses]


@pytest.mark.parametrize(("now", "recorded"), [(2.0, 0.9), (0.6, 0.05), (math.inf, 1.0)])
def test_a_loss_far_above_the_recorded_one_is_told_with_both(now: float, recorded: float) -> None:
    assert f"{recorded:.3g}" in str(jumped(now, recorded))


@pytest.mark.parametrize(("now", "recorded"), [(1.1, 1.0), (0.5, 0.05), (1.0, 1.0), (1.0, math.nan), (math.nan, 1.0)])
def test_an_ordinary_loss_and_one_that_nobody_recorded_are_not(now: float, recorded: float) -> None:
    assert jumped(now, recorded) is None


def test_a_loss_that_stands_still_at_chance_is_told() -> None:
    assert "nothing is learnt" in str(stands_still(rows([2.0, 1.1, 1.101, 1.1]), 1 / 3))


@pytest.mark.parametrize(
    "course",
    [
        rows([1.1, 1.1]),
        rows([1.2, 1.1, 1.0]),
        rows([0.4, 0.4, 0.4], accuracy=0.99),  # the floor of label smoothing, at the end of a cosine
        rows([1.1, math.nan, 1.1]),
    ],
)
def test_a_short_course_one_that_moves_and_one_that_has_learnt_are_not(course: list[Row]) -> None:
    assert len(course) <= EPOCHS
    assert stands_still(course, 1 / 3) is None


@pytest.mark.parametrize(
    ("targets", "answers", "expected"),
    [((0, 1, 1), (1, 1, 1), True), ((0, 1, 1), (0, 1, 1), False), ((1, 1), (1, 1), False)],
)
def test_answers_of_one_class_to_images_of_several(
    targets: tuple[int, ...], answers: tuple[int, ...], expected: bool
) -> None:
    logits = np.eye(2, dtype=np.float32)[list(answers)]
    paths = tuple(f"{number}.png" for number in range(len(targets)))
    predictions = Predictions(paths, np.array(targets, dtype=np.int64), logits, Labels(("a", "b")))
    assert answers_one_class(EpochScores(1, {}, predictions, None, False)) == expected
    assert not answers_one_class(EpochScores(1, {}, None, None, False))
