"""What people read after an export."""

from dataclasses import replace
from pathlib import Path

from rich.console import Console

from clf_cli.engine.onnx_check import Evidence, check_onnx
from clf_cli.engine.onnx_export import OnnxExportResult
from clf_cli.engine.onnx_metadata import Made
from clf_cli.models.onnx import onnx_classifier
from clf_cli.render.onnx_export import lines, table
from clf_cli.settings.onnx_sections import ValidateSection
from tests.onnx_models import linear, write_onnx_file


def test_lines(tmp_path):
    onnx = onnx_classifier(write_onnx_file(tmp_path / "model.onnx"))
    check = check_onnx(onnx, Evidence(linear().classifier()), ValidateSection())
    command = "clf validate-onnx out/model.onnx"
    result = OnnxExportResult(
        Path("out/model.onnx"), check.model, Made("torch.export", 18), 1, check, command, notes=("[Odd] note.",)
    )
    first, agreement, note, following = lines(result)
    assert first == "out/model.onnx: live weights, opset 18, 0.0 MB, with 1 golden sample."
    assert "agree with the checkpoint's to " in agreement
    assert (note, following) == ("[Odd] note.", f"Next: {command}")
    assert "without golden samples" in lines(replace(result, golden=0))[0]
    console = Console(width=120)
    with console.capture() as captured:
        console.print(table(result))
    assert captured.get().splitlines() == [first, agreement, note, following]
