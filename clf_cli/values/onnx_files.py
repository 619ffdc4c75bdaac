"""What lies beside an exported ONNX file, and under which names."""

from dataclasses import dataclass
from pathlib import Path

from clf_cli.values.run_dir import RunDir, run_of


@dataclass(frozen=True)
class OnnxFiles:
    """The ONNX file and its companions; `golden` is a folder."""

    model: Path
    labels_mapping: Path
    golden: Path
    validation: Path


def files_beside(model: Path) -> OnnxFiles:
    """A run's export/model.onnx has companions with plain names, any other file those that start with its own stem."""
    run = run_of(model)
    if run is not None and run.onnx.resolve() == model.resolve():
        return OnnxFiles(model, run.export_labels_mapping, run.golden, run.validation)
    stem = model.stem
    return OnnxFiles(
        model=model,
        labels_mapping=model.with_name(f"{stem}.labels_mapping.json"),
        golden=model.with_name(f"{stem}.golden"),
        validation=model.with_name(f"{stem}.validation.json"),
    )


def golden_beside(model: Path) -> Path | None:
    """The folder of golden samples that belongs to `model`, also when a whole export folder was copied elsewhere."""
    own = files_beside(model).golden
    if own.is_dir():
        return own
    copied = RunDir(model.parent.parent)
    if model.name == copied.onnx.name and (model.parent / copied.golden.name).is_dir():
        return model.parent / copied.golden.name
    return None
