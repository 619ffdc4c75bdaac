import re

import numpy as np
import pytest

from clf_cli.engine.confusion import ConfusionResult
from clf_cli.render.page_matrix import PAIRS, PART, WHOLE, matrix
from clf_cli.values.labels import Labels


def result_of(counts, names=None):
    counts = np.array(counts, dtype=np.int64)
    return ConfusionResult(Labels(tuple(names or (f"{i:04d}" for i in range(len(counts))))), counts)


def cells(paths):
    """(row, column) to opacity, of path data."""
    found = {}
    for opacity, data in paths:
        for column, row in re.findall(r"M(\d+) (\d+)h1v1h-1z", data):
            found[int(row), int(column)] = opacity
    return found


def test_rows_are_true_and_columns_predicted():
    found = matrix(result_of([[8, 2], [0, 5]]), "val")
    assert cells(found.wrong) == {(0, 1): pytest.approx(0.5, abs=0.05)}
    assert set(cells(found.right)) == {(0, 0), (1, 1)}
    assert cells(found.right)[1, 1] == 1.0
    assert found.script["counts"] == [[8, 2], [0, 5]]
    assert found.script["support"] == [10, 5]
    assert [(number.text, number.x > number.y) for number in found.numbers if number.text == "2"] == [("2", True)]
    assert [(pair.true, pair.predicted, pair.count) for pair in found.pairs] == [("0000", "0001", 2)]


def test_a_larger_share_is_never_fainter():
    found = cells(matrix(result_of([[50, 1, 5, 20, 24], *np.eye(5, dtype=int)[1:].tolist()]), "val").wrong)
    opacities = [found[0, column] for column in (1, 2, 3, 4)]
    assert opacities == sorted(opacities)
    assert opacities[0] > 0.12  # a single error in a hundred stays visible


def test_classes_without_images_are_marked():
    found = matrix(result_of([[3, 0], [0, 0]]), "val")
    assert found.unmeasured == "M0 1h2v1h-2z"
    assert found.pairs == ()
    assert found.confused == 0


def test_every_count_is_drawn_once():
    counts = np.random.default_rng(0).integers(0, 3, (WHOLE, WHOLE))
    found = matrix(result_of(counts), "val")
    drawn = set(cells(found.right)) | set(cells(found.wrong))
    assert drawn == set(zip(*(axis.tolist() for axis in np.nonzero(counts)), strict=True))
    assert found.confused == np.count_nonzero(counts) - np.count_nonzero(np.diagonal(counts))
    assert len(found.pairs) == PAIRS


def test_of_a_thousand_classes_the_worst_part_is_drawn():
    counts = np.eye(1000, dtype=np.int64) * 10
    counts[7, 990] = 9
    counts[990, 3] = 2
    found = matrix(result_of(counts), "val")
    assert found.shown == PART
    assert {"0003", "0007", "0990"} <= set(found.names)
    assert list(found.names) == sorted(found.names)
    first = found.pairs[0]
    assert found.names[first.row] == "0007"
    assert found.names[first.column] == "0990"
    assert found.script["counts"][first.row][first.column] == 9
    assert found.script["support"][first.row] == 19  # of all its images, those outside the part too


def test_a_pair_outside_of_the_part_has_no_place():
    counts = np.eye(200, dtype=np.int64) * 10
    for row in range(PART + 2):
        counts[row, (row + 1) % (PART + 2)] = 1
    found = matrix(result_of(counts), "val")
    assert any(pair.row is None and pair.column is None for pair in found.pairs)
    assert all((pair.row is None) == (pair.column is None) for pair in found.pairs)


def test_a_phone_holds_a_dozen_classes_and_names_are_cut():
    found = matrix(result_of(np.eye(12, dtype=int), [f"{i}{'n' * 300}" for i in range(12)]), "val")
    assert found.is_small
    assert found.width < 480
    assert max(map(len, found.names)) <= 16
