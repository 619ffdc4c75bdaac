"""What people read after an export."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from clf_cli.engine.onnx_check import Evidence, check_onnx
from clf_cli.engine.onnx_export import OnnxExportResult
from clf_cli.engine.onnx_metadata import Made
from clf_cli.engine.onnx_rescore import Rescored
from clf_cli.models.onnx import onnx_classifier
from clf_cli.render.onnx_export import lines, table, unscored
from clf_cli.settings.onnx_sections import ValidateSection
from clf_cli.values.contract import Score
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions
from tests.onnx_models import linear, write_onnx_file

COMMAND = "clf validate-onnx out/model.onnx"


@pytest.fixture
def result(tmp_path):
    onnx = onnx_classifier(write_onnx_file(tmp_path / "model.onnx"))
    check = check_onnx(onnx, Evidence(linear().classifier()), ValidateSection())
    path, made = Path("out/model.onnx"), Made("torch.export", 18)
    return OnnxExportResult(path, check.model, made, 1, check, COMMAND, notes=("[Odd] note.",))


def test_lines(result):
    first, agreement, note, following = lines(result)
    assert first == "out/model.onnx: live weights, opset 18, 0.0 MB, with 1 golden sample."
    assert "agree with the checkpoint's to " in agreement
    assert (note, following) == ("[Odd] note.", f"Next: {COMMAND}")
    assert "without golden samples" in lines(replace(result, golden=0))[0]
    console = Console(width=120)
    with console.capture() as captured:
        console.print(table(result))
    assert captured.get().splitlines() == [first, agreement, note, following]


def rescored(metric="val/acc_top1", value=0.5, stored=0.5):
    logits = np.array([[1, 0], [1, 1]], np.float32)
    answers = Predictions(("a.png", "b.png"), np.array([0, 1]), logits, Labels(("a", "b")))
    return Rescored(answers, None, metric, value, stored, Score(metric, "val", value, "live"))


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (rescored(), "It scores val/acc_top1 50.0 %, the stored score (2 images, 1 tie)."),
        (rescored("val/loss", 0.31234, None), "It scores val/loss 0.3123, as torch does (2 images, 1 tie)."),
        (rescored("val/acc_top5", None, None), "It scores val/acc_top5 –, as torch does (2 images, 1 tie)."),
    ],
)
def test_the_score(result, found, line):
    assert line in lines(replace(result, rescored=found))
    assert unscored(replace(result, rescored=found)) is None


def test_a_narrower_file(result):
    """Its score is its own; what it was in float32, and in the checkpoint, stands beside it."""
    made = Made("torch.export", 18, quantizer={"precision": "int8"})
    told = lines(replace(result, made=made, rescored=rescored(value=0.25)))
    assert told[1].startswith("Its logits differ from the checkpoint's by up to ")
    assert told[2] == "It scores val/acc_top1 25.0 %, in float32 50.0 %, the stored score (2 images, 1 tie)."


def test_a_score_that_is_not_proved(result):
    without = replace(result, unscored="Nobody knows")
    assert unscored(without) == "Nobody knows; so the file's score was not checked, and its contract has no score."
    told = unscored(replace(without, score=rescored().score))
    assert told.endswith("and its contract says score.rescored false.")
