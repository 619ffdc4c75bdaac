import time
import warnings

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from clf_cli.engine.confusion import ConfusionResult
from clf_cli.render.class_axis import class_axis
from clf_cli.render.confusion import figure, summary, table
from clf_cli.render.confusion_files import write_confusion
from clf_cli.render.confusion_rows import header, rows
from clf_cli.render.figures import save_figure
from clf_cli.render.heatmap import matrix_pixels
from clf_cli.values.labels import Labels
from clf_cli.values.report import Report

ODD = ("", "0", "00", "$x_1^2$", "_private", "日本語", "🏀 ball", "a\nb", "[red]mark[/]", "x" * 80, "\\$5", "%s {}")


def result_of(counts, names=None):
    counts = np.array(counts, dtype=np.int64)
    return ConfusionResult(Labels(tuple(names or (f"class {i:04d}" for i in range(len(counts))))), counts)


def drawn_matrix(classes, images_per_class=20, seed=0):
    rng = np.random.default_rng(seed)
    counts = np.zeros((classes, classes), dtype=np.int64)
    true = np.repeat(np.arange(classes), images_per_class)
    wrong = rng.random(len(true)) < 0.15
    predicted = np.where(wrong, rng.integers(0, classes, len(true)), true)
    np.add.at(counts, (true, predicted), 1)
    counts[classes // 2] = 0
    return result_of(counts)


def text_of(result, width=200):
    console = Console(width=width, no_color=True)
    with console.capture() as capture:
        console.print(table(result))
    return capture.get()


def texts_in(drawing):
    return [text.get_text() for text in drawing.texts]


@pytest.mark.parametrize("classes", [2, 3, 14, 42, 150, 300, 1000])
@pytest.mark.parametrize("normalize", [True, False])
def test_a_legible_picture_of_any_size(tmp_path, classes, normalize):
    path = tmp_path / "confusion.png"
    result = drawn_matrix(classes)
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_figure(figure(result, normalize, "val"), path)
    assert time.process_time() - start < 5
    assert path.stat().st_size < 3_000_000
    with Image.open(path) as image:
        assert 600 < image.width < 3000
        assert 600 < image.height < 2600


def test_the_same_bytes_twice(tmp_path):
    for name in ("a.png", "b.png"):
        save_figure(figure(drawn_matrix(40)), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_cells_are_where_their_classes_are():
    result = result_of([[3, 1, 0], [0, 0, 0], [0, 2, 2]])
    cell = 20
    pixels = matrix_pixels(result, normalize=True, cell=cell)
    assert pixels.shape == (3 * cell, 3 * cell, 3)

    def color(row, column):
        return tuple(int(value) for value in pixels[row * cell + 3, column * cell + 2])

    red, green, blue = color(0, 0)
    assert blue > red  # right
    for row, column in ((0, 1), (2, 1)):
        red, green, blue = color(row, column)
        assert red > green > blue  # wrong
    assert color(0, 1) > color(2, 1)  # a quarter of the class is paler than half of it
    assert color(0, 2) == color(2, 0) == (255, 255, 255)
    grey = pixels[cell + 1 : 2 * cell - 1, 1 : cell - 1].reshape(-1, 3)
    assert {tuple(value) for value in grey.tolist()} <= {(246, 246, 246), (222, 222, 222)}  # not measured
    assert len(np.unique(grey, axis=0)) == 2  # and hatched


def test_by_images_the_largest_count_is_the_darkest():
    result = result_of([[100, 0], [0, 1]])
    by_images, by_share = (matrix_pixels(result, normalize, 20).astype(int) for normalize in (False, True))
    assert by_images[3, 2].sum() < by_images[23, 22].sum()
    assert by_share[3, 2].sum() == by_share[23, 22].sum()


def test_a_thousand_classes_have_two_pixels_each_and_large_errors_spread():
    counts = np.diag(np.full(1000, 10))
    counts[500, 10], counts[500, 500] = 5, 5
    result = result_of(counts)
    cell = class_axis(result.labels.names).cell
    assert cell == 2
    pixels = matrix_pixels(result, True, cell)
    assert (pixels[998:1004, 18:24] < 255).any(axis=2).all()  # 3 x 3 classes around (500, 10)
    assert (pixels[998:1004, 24:60] == 255).all()


def test_titles_and_numbers_say_what_is_shown():
    result = result_of([[199, 1], [30, 70]], ["cat", "dog"])
    shares, images = figure(result, True, "jersey, val"), figure(result, False)
    assert texts_in(shares)[:2] == [
        *("Confusion matrix: % of each true class", "jersey, val · 269 of 300 images right (89.7 %) · 2 classes")
    ]
    assert texts_in(images)[0] == "Confusion matrix: images"
    assert {"cat", "dog", "true class", "predicted class"} <= set(texts_in(shares))


def test_a_class_without_images_is_said():
    lines = texts_in(figure(result_of([[1, 0], [0, 0]])))
    assert "1 of them without images" in lines[1]
    assert lines[2] == "grey: not measured, no images of this class"


@pytest.mark.parametrize(
    ("classes", "shown", "by_index"),
    [(2, 2, False), (42, 42, False), (100, 100, False), (200, 100, False), (500, 125, False), (1000, 50, True)],
)
def test_names_shrink_then_thin_out_then_are_indices(classes, shown, by_index):
    names = [f"class {i:04d}" for i in range(classes)]
    axis = class_axis(names)
    assert (len(axis.names), axis.by_index) == (shown, by_index)
    assert axis.names[1] == (str(axis.shown[1]) if by_index else names[axis.shown[1]])
    assert axis.size * 1.2 <= axis.cell / 2 * axis.shown.step + 1e-9 or axis.shown.step == 1
    assert axis.side <= 1050


def test_short_names_lie_flat_and_long_ones_stand():
    assert not any(class_axis(["0", "1", "00"]).turned)
    assert all(class_axis([f"a rather long name {i}" for i in range(12)]).turned)
    numbers = class_axis(["", *map(str, range(40))])
    assert numbers.turned == (True, *(False,) * 40)  # one wide name does not turn the others


def test_odd_names_are_shown_as_they_stand(tmp_path):
    result = result_of(np.eye(len(ODD)), ODD)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawing = figure(result)
        save_figure(drawing, tmp_path / "x.png")
    texts = texts_in(drawing)
    assert {"(empty)", "0", "00", "$x_1^2$", "_private", "a b", "[red]mark[/]", "\\$5"} <= set(texts)
    assert all(len(text) < 90 for text in texts)


def test_a_name_that_no_font_can_show_stands_as_its_index():
    drawing = figure(result_of(np.eye(2), ["a", "\U0010fffd"]))
    assert "#1" in texts_in(drawing)
    assert any("no installed font" in text for text in texts_in(drawing))


def test_many_classes_list_the_worst_pairs_beside_the_matrix():
    counts = np.diag(np.full(50, 10))
    counts[3, 7] = 6
    texts = texts_in(figure(result_of(counts)))
    assert "6 (38 %)  class 0003 → class 0007" in texts
    assert "Most confused: images (of the class)" not in texts_in(figure(result_of(np.diag(np.full(50, 10)))))


def test_no_images_at_all(tmp_path):
    empty = result_of(np.zeros((3, 3)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for normalize in (True, False):
            save_figure(figure(empty, normalize), tmp_path / "x.png")
        assert "0 of 0 images right (–)" in text_of(empty)


def test_the_table_is_the_matrix_while_it_fits():
    text = text_of(result_of([[3, 1], [0, 0]], ["", "[b]x"]), width=60)
    assert "(empty)" in text
    assert "[b]x" in text
    assert "75.0 %" in text
    assert "–" in text
    lines = text.splitlines()
    row = next(line for line in lines if line.startswith("│ (empty)"))
    assert [cell.strip() for cell in row.strip("│").split("│")] == ["(empty)", "3", "1", "75.0 %"]


def test_a_narrow_terminal_gets_indices_then_lists():
    names = [f"quite long name {i}" for i in range(12)]
    counts = np.diag(np.full(12, 9))
    counts[2, 5] = 4
    result = result_of(counts, names)
    wide, middle, narrow = (text_of(result, width) for width in (320, 90, 65))
    assert "┃ quite long name 11 ┃" in wide
    assert "11 quite long name 11" in middle
    assert "quite long name 2 │ quite long name 5" in narrow
    assert all(len(line) <= 65 for line in narrow.splitlines())


def test_many_classes_are_lists_in_any_width():
    text = text_of(drawn_matrix(40), width=400)
    assert "Most confused" in text
    assert "Lowest recall" in text
    assert "class 0020 │     – │      0 │      –" in text  # not measured


def test_summary():
    assert summary(result_of([[3, 1], [0, 0]])) == "3 of 4 images right (75.0 %) · 2 classes, 1 of them without images"


def test_a_class_is_no_formula_in_a_spreadsheet():
    result = result_of([[1, 2], [3, 4]], ("-1", "=cmd()"))
    assert header(result) == ("true", "-1", "'=cmd()")
    assert list(rows(result)) == [("-1", 1, 2), ("'=cmd()", 3, 4)]


def test_csv_rows_keep_names_as_they_are():
    result = result_of([[1, 2], [0, 3]], ["", "00"])
    assert header(result) == ("true", "", "00")
    assert list(rows(result)) == [("", 1, 2), ("00", 0, 3)]


def test_files(tmp_path):
    result = result_of([[1, 2], [0, 3]], ["", "00"])
    paths = write_confusion(Report(result), tmp_path / "reports" / "confusion-test")
    assert [path.name for path in paths] == ["confusion-test.json", "confusion-test.csv", "confusion-test.png"]
    assert paths[1].read_text() == 'true,"",00\n"",1,2\n00,0,3\n'
    with Image.open(paths[2]) as image:
        image.verify()
