import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from clf_cli.render.fitted_table import Column, FittedTable, Row

COLUMNS = (Column("name"), Column("first", right=True, rank=2), Column("last", right=True, rank=1), Column("x", rank=3))
ROWS = (Row(("a", "1.0", "2.0", "y")), Row(("[b]\n", "10.0", "", "y" * 20), bold=True, ends_section=True))
TABLE = FittedTable(COLUMNS, ROWS)


def printed(table, width):
    console = Console(width=width, no_color=True)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


@given(width=st.integers(0, 120))
def test_what_is_shown_fits_and_columns_of_rank_0_always_stand(width):
    kept = TABLE.fitting(width)
    assert kept == sorted(kept)
    assert 0 in kept
    if len(kept) > 1:
        assert max(map(len, printed(TABLE, width).splitlines()[:-1])) <= width


@pytest.mark.parametrize(
    ("width", "names"),
    [(10, ["name"]), (15, ["name", "last"]), (25, ["name", "first", "last"]), (60, ["name", "first", "last", "x"])],
)
def test_the_lowest_rank_gets_room_first(width, names):
    assert [COLUMNS[index].name for index in TABLE.fitting(width)] == names


def test_columns_that_are_left_out_are_named():
    assert "Too narrow for first, x" in printed(TABLE, 50).replace("\n", " ") or len(TABLE.fitting(50)) == 4
    assert "Too narrow for first, x: widen the terminal" in " ".join(printed(TABLE, 20).split())
    assert "Too narrow" not in printed(TABLE, 80)


def test_texts_are_shown_as_they_stand():
    assert "[b]" in printed(TABLE, 80)
    assert "[red]x[/]" in printed(FittedTable([Column("name")], [Row(("[red]x[/]",))]), 80)
