import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clf_cli.errors import RunError
from clf_cli.render.csv import harmless, write_csv

cells = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=8)


def test_every_kind_of_cell(tmp_path):
    path = tmp_path / "new" / "x.csv"
    write_csv(path, ("name", "a,b"), [("", 1), ('say "hi"', 0.1), (" pad", float("nan")), ("two\nlines", None)])
    assert path.read_bytes() == (b'name,"a,b"\n"",1\n"say ""hi""",0.1\n" pad",\n"two\nlines",\n')


def test_numbers_of_numpy_are_numbers_and_undefined_is_empty(tmp_path):
    path = tmp_path / "x.csv"
    write_csv(path, ("a",) * 5, [(np.int64(3), np.float64(0.1), np.float64("nan"), float("inf"), True)])
    assert path.read_text().splitlines()[1] == "3,0.1,,,1"


@given(st.lists(st.tuples(cells, cells, st.floats(allow_nan=False, allow_infinity=False)), max_size=6))
def test_the_standard_reader_gets_back_what_was_written(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    write_csv(path, ("a", "b", "c"), rows)
    with path.open(encoding="utf-8", newline="") as file:
        _, *read = list(csv.reader(file))
    assert [(a, b, float(c)) for a, b, c in read] == rows


def test_an_unwritable_place_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"Cannot write .*x\.csv"):
        write_csv(tmp_path / "file" / "x.csv", ("a",), [])


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "@SUM(A1)", "-a", "  =1", '=HYPERLINK("x")'])
def test_a_formula_becomes_text(text):
    assert harmless(text) == f"'{text}"


def test_what_steers_a_terminal_is_an_escape():
    assert harmless("\x1b[31mred\x1b]0;title\x07") == "\\x1b[31mred\\x1b]0;title\\x07"
    assert harmless("\n=1") == "\\n=1"


@pytest.mark.parametrize("text", ["", "7", "-7", "+1.5", "a=b", "two-one", "'=1", "é"])
def test_other_text_stays(text):
    assert harmless(text) == text
