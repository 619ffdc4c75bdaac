"""Names beside an ONNX file."""

from pathlib import Path

from clf_cli.values.onnx_files import files_beside, golden_beside
from clf_cli.values.run_dir import RunDir


def names(model: Path) -> list[str]:
    files = files_beside(model)
    return [files.model.name, files.labels_mapping.name, files.golden.name, files.validation.name]


def test_a_runs_own_model_has_companions_with_plain_names(tmp_path):
    run = RunDir(tmp_path / "run")
    run.export.mkdir(parents=True)
    run.run_json.write_text("{}")
    assert names(run.onnx) == ["model.onnx", "labels_mapping.json", "golden", "validation.json"]
    assert files_beside(run.onnx).golden.parent == run.export
    assert names(run.onnx_variant("-live")) == [
        "model-live.onnx", "model-live.labels_mapping.json", "model-live.golden", "model-live.validation.json",
    ]  # fmt: skip


def test_any_other_file_gives_its_stem(tmp_path):
    assert names(tmp_path / "export" / "model.onnx") == [
        "model.onnx", "model.labels_mapping.json", "model.golden", "model.validation.json",
    ]  # fmt: skip


def test_golden_samples_are_found_where_they_belong(tmp_path):
    model = tmp_path / "elsewhere" / "model.onnx"
    model.parent.mkdir()
    assert golden_beside(model) is None
    (model.parent / "golden").mkdir()
    assert golden_beside(model) == model.parent / "golden", "a copied export folder"
    assert golden_beside(model.with_name("other.onnx")) is None, "they are of model.onnx"
    (model.parent / "model.golden").mkdir()
    assert golden_beside(model) == model.parent / "model.golden"
