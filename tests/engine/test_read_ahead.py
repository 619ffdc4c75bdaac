"""Reading ahead: every item once, in order, in validation's batches, and never more than two batches at a time."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clf_cli.engine.read_ahead import batches_of, read_ahead
from clf_cli.values.predictions import EVAL_BATCH


@given(st.lists(st.integers(0, 999) | st.none(), max_size=300))
def test_batches_hold_every_item_in_order(items):
    batches = list(batches_of(items))

    assert [item for batch in batches for item in batch] == [item for item in items if item is not None]
    assert all(len(batch) <= EVAL_BATCH for batch in batches)
    if None not in items:
        assert all(len(batch) == EVAL_BATCH for batch in batches[:-1])
        assert [] not in batches


def test_a_wait_hands_over_what_is_there_and_asks_for_all_of_it():
    assert list(batches_of([1, 2, None, 3])) == [[1, 2], [], [3]]
    assert list(batches_of([None, 1])) == [[], [1]]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_order_whatever_reads(workers):
    found = list(read_ahead([[3, 1], [2], [], [5, 4]], lambda item: item * 10, workers))
    assert found == [[30, 10], [20], [50, 40]]


def test_two_batches_at_most_are_in_memory():
    started = []
    batches = read_ahead(batches_of(range(5 * EVAL_BATCH)), started.append, workers=2)
    for number, _ in enumerate(batches, start=1):
        assert len(started) <= (number + 1) * EVAL_BATCH


def test_a_batch_is_given_while_its_source_waits_for_more():
    """The first batch is there before the second one is: what follows an empty batch may take as long as it likes."""
    asked = []

    def source():
        yield ["a", "b"]
        yield []
        asked.append("for more")
        yield ["c"]

    batches = read_ahead(source(), str.upper, workers=1)
    assert next(batches) == ["A", "B"]
    assert asked == []
    assert list(batches) == [["C"]]


def test_the_next_batch_is_read_while_the_caller_works_on_one():
    read_next = threading.Event()

    def read(item):
        if item == 1:
            read_next.set()
        return item

    batches = read_ahead([[0], [1]], read, workers=1)
    assert next(batches) == [0]
    assert read_next.wait(timeout=30)


def test_what_a_thread_raises_reaches_the_caller():
    def read(item):
        raise ZeroDivisionError(item)

    with pytest.raises(ZeroDivisionError):
        list(read_ahead([[1]], read, workers=1))


def test_who_leaves_early_leaves_no_thread_behind():
    before = threading.active_count()
    batches = read_ahead([[1] * 8, [2] * 8, [3]], lambda item: item, workers=3)
    next(batches)
    batches.close()
    assert threading.active_count() == before
