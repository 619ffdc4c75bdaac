import numpy as np
import pytest
from PIL import Image

from clf_cli.render.figures import INK, save_figure, text_width
from clf_cli.render.grid import SIZE, TILE, Caption, Tile, fitting, grid


def tile(lines=1):
    return Tile(np.zeros((4, 4, 3), np.uint8), INK, (Caption("x"),) * lines)


@pytest.mark.parametrize(("tiles", "columns", "rows"), [(12, 6, 2), (13, 6, 3), (1, 6, 1), (4, None, 2), (0, 3, 0)])
@pytest.mark.parametrize("lines", [0, 1, 3])
def test_rows_of_as_many_columns_as_asked(tmp_path, tiles, columns, rows, lines):
    save_figure(grid("Title", ("one line", "another"), [tile(lines)] * tiles, columns), tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as image:
        assert image.height == 2 * (75 + rows * (TILE + 6 + 14 * lines + 14))
        assert image.width >= 2 * ((columns or 2) * (TILE + 14) - 14 + 32)


@pytest.mark.parametrize("text", ["short", "W" * 100, "", "x y " * 30])
def test_a_text_is_cut_where_it_does_not_fit(text):
    cut = fitting(text, TILE)
    assert text_width(cut, SIZE) <= TILE
    assert cut == text or cut.endswith("…")
