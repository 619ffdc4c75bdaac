"""Reading ahead: every item once, in order, in validation's batches, and never more than two batches at a time."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as with_options
from hypothesis import strategies as st
from PIL import Image

from clf_cli.data.images import UnreadableImageError
from clf_cli.engine.read_ahead import batches_of, inputs_ahead, read_ahead
from clf_cli.values.predictions import EVAL_BATCH
from clf_cli.values.preprocess import Preprocess, preprocess_image

PREPROCESS = Preprocess(4, 6)


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


# Inputs


def opened(number):
    """An image of its own for each number; none for negative ones."""
    if number < 0:
        raise UnreadableImageError(f"number {number}")
    pixels = np.random.default_rng(number).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("workers", [1, 3])
@with_options(derandomize=True, deadline=None, max_examples=20)
@given(st.lists(st.integers(-3, 99) | st.none(), max_size=3 * EVAL_BATCH + 1))
def test_inputs_are_those_of_each_image_alone_in_the_same_batches(workers, in_graph, numbers):
    preprocess = Preprocess(4, 6, normalized_in_graph=in_graph)
    wanted = [batch for batch in batches_of(numbers) if batch]
    for batch, items in zip(inputs_ahead(numbers, opened, preprocess, workers), wanted, strict=True):
        assert batch.items == tuple(items)
        assert [None if reason is None else str(reason) for reason in batch.reasons] == [
            f"number {number}" if number < 0 else None for number in items
        ]
        alone = [preprocess_image(opened(number), preprocess) for number in items if number >= 0]
        assert batch.inputs.dtype == (np.uint8 if in_graph else np.float32)
        assert batch.inputs.shape == (len(alone), *preprocess.input_shape)
        for one, other in zip(batch.inputs, alone, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_batch_stays_as_it_is_while_the_next_one_is_read():
    """Its memory is used again two batches later, so that there are two arrays however many images there are."""
    arrays = []
    for batch in inputs_ahead(range(6 * EVAL_BATCH), opened, PREPROCESS, workers=3):
        before = batch.inputs.copy()
        threading.Event().wait(0.02)
        np.testing.assert_array_equal(batch.inputs, before)
        arrays.append(batch.inputs.__array_interface__["data"][0])
    assert len(arrays) == 6
    assert len(set(arrays)) == 2


def test_a_few_images_take_no_room_for_a_batch():
    (batch,) = inputs_ahead([1, 2], opened, PREPROCESS, workers=1)
    assert batch.inputs.base is None or batch.inputs.base.nbytes == batch.inputs.nbytes


def test_a_mistake_of_the_program_is_no_unreadable_image():
    with pytest.raises(ZeroDivisionError):
        list(inputs_ahead([1], lambda number: 1 / 0, PREPROCESS, workers=1))
