import subprocess
import sys

import numpy as np
import pytest

from clf_cli.engine.synth_digits import FACES, HEIGHT, MARGIN, font_file, number_masks


@pytest.mark.parametrize("face", FACES)
def test_every_digit_fills_its_height_within_the_margin(face):
    for digit in "0123456789":
        fill = np.asarray(number_masks(digit, face, 0)[0]) > 127
        rows = np.flatnonzero(fill.any(axis=1))
        assert rows[0] == pytest.approx(MARGIN, abs=4)
        assert rows[-1] == pytest.approx(MARGIN + HEIGHT - 1, abs=4)
        assert not fill[:, 0].any()
        assert not fill[:, -1].any()


@pytest.mark.parametrize("face", FACES)
def test_digits_of_a_face_all_look_different(face):
    shapes = [np.asarray(number_masks(digit, face, 0)[0].resize((24, 32))) > 127 for digit in "0123456789"]
    for index, shape in enumerate(shapes):
        for other in shapes[index + 1 :]:
            assert (shape != other).mean() > 0.03


@pytest.mark.parametrize("face", FACES)
def test_an_outline_surrounds_the_fill_and_no_outline_is_the_fill(face):
    fill, outlined = (np.asarray(mask) > 127 for mask in number_masks("52", face, 6))
    assert outlined[fill].all()
    assert outlined.sum() > 1.2 * fill.sum()
    plain, same = number_masks("52", face, 0)
    assert np.array_equal(np.asarray(plain), np.asarray(same))


def test_digits_stand_in_reading_order_without_touching():
    columns = (np.asarray(number_masks("11", "block", 0)[0]) > 127).any(axis=0)
    runs = np.flatnonzero(np.diff(columns.astype(int)) == 1)
    assert len(runs) == 2
    one, four = (np.asarray(number_masks(text, "block", 0)[0]) for text in ("14", "41"))
    assert not np.array_equal(one, four)


def test_fonts_are_found_without_importing_matplotlib():
    assert font_file("DejaVuSans-Bold").is_file()
    code = (
        "import sys; from clf_cli.engine.synth_draw import draw_jersey; import numpy as np;"
        "[draw_jersey('8', np.random.default_rng(seed)) for seed in range(9)];"
        "sys.exit(any(name in sys.modules for name in ('matplotlib', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
