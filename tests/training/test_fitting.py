"""The search for a batch size: over answers that are known, over children that die, and over real steps."""

import itertools

import pytest

from clf_cli.settings.sections import OptimSection
from clf_cli.training.batch_size import parts_of, told_fitting
from clf_cli.training.feed import batch_notes
from clf_cli.training.fitting import Prober, largest_below, largest_of
from clf_cli.training.probe import Probe


@pytest.mark.parametrize("effective", [1, 2, 32, 64, 96, 97])
def test_the_largest_part_that_fits_is_found_for_every_limit(effective: int) -> None:
    sizes = parts_of(effective)
    assert all(effective % size == 0 for size in sizes)
    assert sizes[-1] == effective
    assert 1 not in sizes[:-1]
    for limit in range(effective + 2):
        fitting = [size for size in sizes if size <= limit]
        assert largest_of(sizes, limit.__ge__) == (fitting[-1] if fitting else None)


@pytest.mark.parametrize("size", [1, 2, 7, 32, 100, 257])
def test_below_a_size_the_answer_fits_and_an_eighth_more_does_not(size: int) -> None:
    for limit in range(size):
        found = largest_below(size, limit.__ge__)
        if found is None:
            assert limit == 0
        else:
            assert found <= limit < found + max(1, found // 8)


def test_the_search_takes_few_tries() -> None:
    tried: list[int] = []

    def fits(size: int) -> bool:
        tried.append(size)
        return size <= 300

    assert largest_below(1024, fits) == 288
    assert len(tried) <= 6
    tried.clear()
    assert largest_of(parts_of(1024), fits) == 256
    assert len(tried) <= 5


def test_what_nobody_knows_does_not_fit() -> None:
    assert largest_of((2, 4, 8), lambda size: None) is None
    assert largest_of((), lambda size: True) is None
    assert largest_below(8, lambda size: None) is None


def test_without_time_nothing_is_known_and_no_child_is_left() -> None:
    probe = Probe({}, {}, 3, "cpu", "fp32", 1, None, 0, False)
    with Prober(probe, seconds=0.0) as prober:
        assert prober.fits(8) is None
        assert prober.fits(4) is None
        assert prober._child is None


def test_a_child_that_dies_before_it_is_ready_leaves_it_unknown() -> None:
    probe = Probe({"optim": {"lr": -1}}, {}, 3, "cpu", "fp32", 1, None, 0, False)  # settings that are refused
    with Prober(probe, seconds=120.0) as prober:
        assert prober.fits(8) is None
        assert prober._child is None
        assert not prober.began
    assert "no room or no time" in told_fitting(None, prober.began)
    assert (told_fitting(None, True), told_fitting(3, True)) == ("", "The largest that fits is 3.")


@pytest.mark.parametrize(("images", "size"), [*itertools.product((2, 16, 17, 33), (1, 2, 16, 32))])
def test_a_last_batch_of_one_and_too_much_accumulation_are_named(images: int, size: int) -> None:
    notes = batch_notes(images, OptimSection(batch_size=size, accumulate=3))
    alone = size > 1 and images % size == 1
    assert any(f"one of the {images} train images" in note for note in notes) == alone
    batches = -(-(images - alone) // size)
    assert any("--accumulate 3" in note for note in notes) == (batches < 3)
