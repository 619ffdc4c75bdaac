import io
import warnings

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from clf_cli.engine.sampler import Draws, epoch_draws, sampler_result
from clf_cli.render.figures import save_figure
from clf_cli.render.sampler import CLASSES_DRAWN, HEADER, ROW, figure, rows, table
from clf_cli.settings.sections import OptimSection
from clf_cli.values.labels import Labels

LABELS = Labels(("", "[b]x", "00"))
EXPECTED = np.array([100.0, 0.0, 100.0])
DRAWS = Draws(3, np.array([150, 0, 50]), np.array([120, 0, 80]), EXPECTED, np.array([7, 0, 6]), 7, 32)
RESULT = sampler_result(DRAWS, LABELS)


def shown(result=RESULT, width=120) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(table(result))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def many(classes, balance="sampler"):
    targets = np.repeat(np.arange(classes), 1 + np.arange(classes)[::-1] % 90)
    draws = epoch_draws(targets, classes, OptimSection(balance=balance), seed=0, epoch=1)
    return sampler_result(draws, Labels(tuple(f"class-{index:04d}" for index in range(classes))))


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if "│" in line]


def test_each_class_has_a_row():
    text = shown()
    assert cells(text) == [
        ["(empty)", "150", "120", "100.0", "1.20", "7", "50.0 %"],
        ["[b]x", "0", "0", "0.0", "–", "0", "0.0 %"],
        ["00", "50", "80", "100.0", "0.80", "6", "50.0 %"],
    ]
    assert "epoch 3" in text
    assert "200 images drawn in 7 batches of 32; chi-square 8.0 with 1 degree of freedom, p = 0.005" in text
    assert "The rarest class, 00, has 50 images: 100.0 in an epoch on average, in 6 of this one's 7 batches" in text


def test_a_class_is_no_formula_in_a_spreadsheet():
    names = [row[1] for row in rows(sampler_result(DRAWS, Labels(("-1", "=cmd()", "@x"))))]
    assert names == ["-1", "'=cmd()", "'@x"]


def test_rows_of_the_csv_file_name_what_they_hold():
    assert dict(zip(HEADER, next(rows(RESULT)), strict=True)) == {
        "index": 0,
        "class": "",
        "images": 150,
        "drawn": 120,
        "expected": 100.0,
        "ratio": 1.2,
        "batches_with": 7,
        "effective_prior": 0.5,
    }


@pytest.mark.parametrize(
    "result",
    [RESULT, many(2), many(300), sampler_result(Draws(1, *(np.zeros(1, np.int64),) * 4, 0, 8), Labels(("a",)))],
)
def test_a_bar_for_each_class_as_many_as_fit(tmp_path, result):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_figure(figure(result, "x"), tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as image:
        lines = 3 if len(result.labels) > CLASSES_DRAWN else 2
        assert image.height == 2 * (60 + 13 * lines + ROW * min(CLASSES_DRAWN, len(result.labels)) + 12)


def test_of_many_classes_the_largest_and_the_rarest_are_drawn():
    texts = [text.get_text() for text in figure(many(300)).texts]
    assert any("the 30 largest and the 30 rarest of 300 classes" in text for text in texts)
    assert sum(text.startswith("class-") for text in texts) == CLASSES_DRAWN


def test_the_length_of_a_bar_is_the_logarithm_of_its_number(tmp_path):
    images, drawn = np.array([1000, 10]), np.array([100, 1])
    result = sampler_result(Draws(1, images, drawn, drawn.astype(float), drawn, 1, 101), Labels(("a", "b")))
    save_figure(figure(result), tmp_path / "x.png")
    pixels = np.asarray(Image.open(tmp_path / "x.png").convert("RGB"))
    blue = [int(row.sum()) for row in (pixels == (0, 114, 178)).all(axis=2) if row.any()]
    grey = [int(row.sum()) for row in (pixels == (208, 215, 222)).all(axis=2)]
    long, short = max(blue), min(length for length in blue if length > 5)
    full = max(grey)
    step = full / np.log10(1000 / 0.5)  # pixels per power of ten
    assert long == pytest.approx(step * np.log10(100 / 0.5), abs=4)
    assert short == pytest.approx(step * np.log10(1 / 0.5), abs=4)
