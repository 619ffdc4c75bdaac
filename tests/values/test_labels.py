"""Class names: their order, their uniqueness, and how people see the empty one."""

import pytest
from hypothesis import given
from hypothesis import settings as with_options
from hypothesis import strategies as st

from clf_cli.values.labels import EMPTY_SHOWN, Labels, shown

names = st.lists(st.text(max_size=4), max_size=8)


@with_options(derandomize=True, deadline=None, max_examples=50)
@given(names)
def test_the_order_is_that_of_code_points_whatever_the_data_say(given_names):
    labels = Labels.of(given_names)
    assert list(labels) == sorted(set(given_names))
    assert Labels.of(reversed(given_names)) == labels
    assert len(labels) == len(set(given_names))


@with_options(derandomize=True, deadline=None, max_examples=50)
@given(names)
def test_an_index_is_the_position(given_names):
    labels = Labels.of(given_names)
    assert [labels.names[labels.indices[name]] for name in labels] == list(labels)
    assert all(name in labels for name in given_names)
    assert not labels or (max(labels) + "x") not in labels


def test_numbers_are_text():
    assert Labels.of(["1", "01", "001", "10", "9", "", "0", "00"]).names == (
        "", "0", "00", "001", "01", "1", "10", "9",
    )  # fmt: skip


def test_capitals_and_letters_with_marks_stay_apart():
    assert Labels.of(["b", "B", "é", "e\u0301"]).names == ("B", "b", "e\u0301", "é")


def test_a_given_order_is_kept():
    assert Labels(("b", "a")).indices == {"b": 0, "a": 1}


def test_a_name_that_repeats_is_refused():
    with pytest.raises(ValueError, match="repeat"):
        Labels(("a", "b", "a"))


def test_only_the_empty_name_is_shown_otherwise():
    assert Labels(("", " ", "0", "None")).shown == (EMPTY_SHOWN, " ", "0", "None")
    assert shown("") == "(empty)"


def test_what_is_no_name_is_not_in_it():
    assert 0 not in Labels(("0", "1"))
    assert None not in Labels(("None",))
