import json

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from clf_cli.engine.calibration import calibrate
from clf_cli.render.calibration import SHOWN, figure, table
from clf_cli.render.calibration_files import write_calibration
from clf_cli.render.figures import save_figure
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions
from clf_cli.values.report import Report


def result_of(names=("", "[red]x[/]", "c", "never"), images=200, target=0.9, seed=0):
    """Images of all classes but the last, which is never answered with either."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 4, (images, len(names))).astype(np.float32)
    logits[:, -1] = -50
    targets = (logits / 2 + rng.gumbel(size=logits.shape)).argmax(axis=1)
    return calibrate(Predictions(tuple(map(str, range(images))), targets, logits, Labels(names)), target)


@pytest.fixture(scope="module")
def result():
    return result_of()


def text_of(result, width=200):
    console = Console(width=width, no_color=True)
    with console.capture() as capture:
        console.print(table(result))
    return capture.get()


def test_the_numbers_before_after_and_cross_fitted(result):
    shown = text_of(result)
    assert f"temperature {result.temperature:.4f}: it should be less certain than it says" in shown
    assert "200 images" in shown
    row = next(line for line in shown.splitlines() if "calibration error" in line)
    assert row.count("%") == 3
    assert f"{100 * result.after.ece:.2f} %" in row
    assert "right, of the answered" in shown


def test_the_classes(result):
    shown = text_of(result)
    assert "│ (empty)" in shown
    assert "│ [red]x[/]" in shown
    never = next(line for line in shown.splitlines() if line.startswith("│ never"))
    assert "│       0 │" in never
    assert "all classes" in never or "–" in never
    assert "thresholds for 90.0 % right: 3 classes by their own answers, 1 by those of all classes (" in shown


def test_classes_that_are_never_answered_are_named():
    shown = text_of(result_of(images=12, target=1.0))
    assert "never (" in shown
    assert "–" in shown


def test_many_classes_are_cut():
    shown = text_of(result_of(tuple(f"c{number:03d}" for number in range(60)), 300))
    assert f"The {SHOWN} of 60 classes that lose the most answers" in shown
    assert shown.count("│ c0") == SHOWN


def test_a_narrow_terminal(result):
    shown = text_of(result, 60)
    assert max(map(len, shown.splitlines())) <= 60
    assert "Too narrow for" in shown
    assert "…" not in shown


def test_the_picture(result, tmp_path):
    drawing = figure(result, "jersey, val")
    texts = " ".join(text.get_text() for text in drawing.texts)
    assert "Reliability: jersey, val" in texts
    assert f"temperature {result.temperature:.3f}" in texts
    assert "cross-fitted" in texts
    bars, counts = drawing.axes[0], drawing.axes[1]
    heights = [patch.get_height() for patch in bars.patches]
    assert heights == pytest.approx(result.reliability_before.accuracy[result.reliability_before.images > 0].tolist())
    assert sum(patch.get_height() for patch in counts.patches) == result.images
    assert drawing.axes[1].get_ylim() == drawing.axes[3].get_ylim(), "counts of both panels compare"
    save_figure(drawing, tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as image:
        assert image.size == (1440, 860)
    assert (tmp_path / "picture.png").stat().st_size < 200_000


def test_files(result, tmp_path):
    report = Report(result)
    paths = write_calibration(report, tmp_path / "reports" / "calibration", "x")
    assert [path.name for path in paths] == ["calibration.json", "calibration.png"]
    assert json.loads(paths[0].read_text()) == report.to_json()
    first = paths[1].read_bytes()
    write_calibration(report, tmp_path / "reports" / "calibration", "x")
    assert paths[1].read_bytes() == first
