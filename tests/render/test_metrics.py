import numpy as np
from rich.console import Console

from clf_cli.engine.metrics import metrics
from clf_cli.engine.slices import Grouping
from clf_cli.render.metrics import SHOWN, SLICES, table
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions


def text_of(logits, targets, names, groupings=(), width=80):
    paths = tuple(map(str, range(len(targets))))
    predictions = Predictions(paths, np.array(targets), np.array(logits, np.float32), Labels(names))
    result = metrics(predictions, groupings)
    console = Console(width=width, no_color=True)
    with console.capture() as capture:
        console.print(table(result))
    return capture.get()


def test_percent_and_what_is_undefined():
    text = text_of([[2, 0, 0], [0, 2, 0], [0, 2, 0]], [0, 0, 1], ("", "[b]", "c"))
    assert "3 images · 3 classes\nNot measured, no images: c\n" in text
    assert "│ top-1 accuracy     │ 66.67 % │      20.77–93.85 │" in text
    assert "│ top-5 accuracy     │       – │                – │" in text
    assert "│ (empty) │      2 │   100.0 % │ 21–100 │  50.0 % │   9–91 │ 66.7 % │" in text
    assert "│ [b]     │" in text
    assert "│ c       │      – │         – │      – │       – │      – │      – │" in text


def test_the_worst_class_comes_first():
    text = text_of([[2, 0, 0], [0, 2, 0], [0, 0, 2], [0, 2, 0]], [0, 1, 2, 2], ("a", "b", "c"))
    rows = [line.split()[1] for line in text.splitlines() if line.startswith(("│ a ", "│ b ", "│ c "))]
    assert rows == ["b", "c", "a"]


def test_of_many_classes_the_worst_are_shown():
    classes = SHOWN + 10
    logits = np.eye(classes)
    logits[7] = logits[8]  # class 7 is taken for class 8
    text = text_of(logits, range(classes), tuple(f"c{i:03d}" for i in range(classes)))
    assert f"The {SHOWN} of {classes} classes with the lowest F1" in text
    rows = [line for line in text.splitlines() if line.startswith("│ c0")]
    assert len(rows) == SHOWN
    assert [row[2:6] for row in rows[:3]] == ["c007", "c008", "c000"]


def test_many_classes_that_are_not_measured_are_counted():
    text = text_of(np.eye(20)[:2], [0, 1], tuple(f"c{i:02d}" for i in range(20)))
    assert "Not measured, no images: c02, c03, c04, c05, c06, c07, c08, c09 and 10 more" in text


def test_slices_of_each_key():
    camera = Grouping("metadata.camera", ("a", "a", None, True))
    text = text_of(np.eye(4), [0, 1, 2, 0], tuple("wxyz"), [camera, Grouping("[b]", ("", ["x"], 1, 1))])
    assert "By metadata.camera: 3 values" in text
    assert "│ a      │      2 │       2 │ 100.0 % │ 34–100 │  100.0 % │" in text
    assert "│ (none) │      1 │" in text
    assert "│ true   │      1 │       1 │   0.0 % │   0–79 │    0.0 % │" in text
    assert "By [b]: 3 values" in text
    assert '│ ["x"]   │' in text
    assert "│ (empty) │" in text


def test_a_key_of_very_many_values_is_cut_and_says_so():
    count = SLICES + 5
    text = text_of(np.eye(count), range(count), tuple(map(str, range(count))), [Grouping("id", tuple(range(count)))])
    assert f"By id: {count} values, the {SLICES} largest; --json has all" in text


def test_long_names_stay_in_80_columns():
    names = tuple(f"{'a long name of a class that never ends ' * 3}{i}" for i in range(3))
    text = text_of(np.eye(3), range(3), names, [Grouping("key", names)])
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("100.0 %") == 3 * 3 + 3 * 2
    assert text.count("21–100") == 3 * 2 + 3


def test_a_narrow_terminal_keeps_the_names():
    names = ("Alcoholic-Wine", "Juice")
    text = text_of(np.eye(2), [0, 1], names, [Grouping("key", ("first half", "second half"))], width=60)
    assert max(map(len, text.splitlines())) <= 60
    assert "│ Alcoholic-Wine │      1 │   100.0 % │ 100.0 % │ 100.0 % │" in text
    assert "│ first half  │      1 │ 100.0 % │ 21–100 │  100.0 % │" in text
