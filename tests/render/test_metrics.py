import numpy as np
from rich.console import Console

from clf_cli.engine.metrics import metrics
from clf_cli.render.metrics import SHOWN, table
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions


def text_of(logits, targets, names):
    paths = tuple(map(str, range(len(targets))))
    result = metrics(Predictions(paths, np.array(targets), np.array(logits, np.float32), Labels(names)))
    console = Console(width=100, no_color=True)
    with console.capture() as capture:
        console.print(table(result))
    return capture.get()


def test_percent_and_what_is_undefined():
    text = text_of([[2, 0, 0], [0, 2, 0], [0, 2, 0]], [0, 0, 1], ("", "[b]", "c"))
    assert "│ top-1 accuracy    │ 66.67 % │" in text
    assert "│ top-5 accuracy    │       – │" in text
    assert "│ (empty) │      2 │         1 │   100.0 % │  50.0 % │ 66.7 % │" in text
    assert "│ [b]     │" in text
    assert "│ c       │      – │         0 │         – │       – │      – │" in text


def test_of_many_classes_the_worst_are_shown():
    classes = SHOWN + 10
    logits = np.eye(classes)
    logits[7] = logits[8]  # class 7 is taken for class 8
    text = text_of(logits, range(classes), tuple(f"c{i:03d}" for i in range(classes)))
    assert f"The {SHOWN} of {classes} classes with the lowest recall" in text
    rows = [line for line in text.splitlines() if line.startswith("│ c")]
    assert len(rows) == SHOWN + 1  # and "calibration error"
    assert rows[1].startswith("│ c007")
