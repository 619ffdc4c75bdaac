"""Every image is in the sizes once, whether they are told one by one or together."""

import pytest

from clf_cli.engine.size_counts import EXACT, size_counts


def test_few_sizes_are_told_as_they_are():
    found = size_counts([(10, 20, 0), (10, 20, 1), (10, 20, 1), (8, 9, 0)], 2)
    assert [(size.width, size.height, size.counts) for size in found] == [(8, 9, (1, 0)), (10, 20, (1, 2))]
    assert found[0].to_json(("train", "val")) == {"width": 8, "height": 9, "counts": {"train": 1, "val": 0}}


def test_many_sizes_are_put_together_within_a_sixteenth_of_an_octave():
    images = [(100 + number % 700, 50 + number % 431, number % 2) for number in range(5000)]
    found = size_counts(images, 2)
    assert EXACT / 10 < len(found) < 500
    assert [sum(size.counts[split] for size in found) for split in (0, 1)] == [2500, 2500]
    mean = sum(size.width * sum(size.counts) for size in found) / 5000
    assert mean == pytest.approx(sum(width for width, _, _ in images) / 5000, rel=0.01)
    [one, *_] = size_counts([(100, 103, 0)] * 3 + [(2000 + n, 2000, 0) for n in range(EXACT)], 1)
    assert (one.width, one.height) == pytest.approx((100, 103), rel=0.045)
