import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clf_cli.data.draws import COLUMNS, draw_generator, draw_numbers, order_generator

positions = st.lists(st.integers(0, 2**40), max_size=12)


@given(seed=st.integers(0, 2**31 - 1), epoch=st.integers(0, 2**31 - 1), places=positions)
def test_a_block_of_numbers_is_of_its_position_whatever_stands_beside_it(seed, epoch, places):
    block = draw_numbers(seed, epoch, places)
    assert block.shape == (len(places), COLUMNS)
    for row, place in zip(block, places, strict=True):
        assert np.array_equal(draw_numbers(seed, epoch, [place])[0], row)


def test_a_run_of_positions_is_the_same_as_its_parts():
    whole = draw_numbers(7, 3, np.arange(100))
    assert np.array_equal(whole[13:40], draw_numbers(7, 3, np.arange(13, 40)))
    assert np.array_equal(whole[1::4], draw_numbers(7, 3, np.arange(1, 100, 4)))
    assert len(np.unique(whole)) == whole.size


def test_streams_of_different_keys_never_meet():
    keys = [(seed, epoch) for seed in (0, 1) for epoch in (0, 1, 2)]
    seen = [draw_numbers(*key, np.arange(20)).ravel() for key in keys]
    seen += [draw_generator(*key, place).random(40) for key in keys for place in range(20)]
    seen += [order_generator(*key).random(40) for key in keys]
    together = np.concatenate(seen)
    assert len(np.unique(together)) == len(together)


def test_numbers_are_uniform_and_neighbours_independent():
    draws = draw_numbers(0, 0, np.arange(900))
    assert abs(draws.mean() - 0.5) < 0.01
    related = np.corrcoef(draws[:, :30].T) - np.eye(30)
    assert np.abs(related).max() < 0.16
    related = np.corrcoef(draws.reshape(30, -1)) - np.eye(30)
    assert np.abs(related).max() < 0.16
