"""An ONNX file and its companions, made aside, take their places together."""

import shutil
from pathlib import Path

from clf_cli.errors import UsageError
from clf_cli.files import move_into_place, unwritable
from clf_cli.values.contract import Contract
from clf_cli.values.onnx_files import OnnxFiles, files_beside
from clf_cli.values.report import ModelRef
from clf_cli.values.run_dir import run_of


def onnx_target(model: Path) -> OnnxFiles:
    """The places of a file to write. Raises UsageError (exit 2) for a folder and for a name without .onnx."""
    if model.is_dir():
        raise UsageError(f"{model} is a folder.", f"Name a file, such as -o {model / 'model.onnx'}.")
    if model.suffix.lower() != ".onnx":
        raise UsageError(f"{model} does not end in .onnx.", "clf tells ONNX files by that ending.")
    return files_beside(model)


def inside(folder: Path, files: OnnxFiles) -> OnnxFiles:
    """The same names in another folder."""
    return OnnxFiles(
        model=folder / files.model.name,
        labels_mapping=folder / files.labels_mapping.name,
        golden=folder / files.golden.name,
        validation=folder / files.validation.name,
    )


def publish(draft: OnnxFiles, files: OnnxFiles, has_golden: bool) -> None:
    """The model first, so that an error leaves its companions as they were. Raises RunError (exit 6)."""
    try:
        _move_model(draft.model, files.model)
        move_into_place(draft.labels_mapping, files.labels_mapping)
        if has_golden:
            move_into_place(draft.golden, files.golden)
        elif files.golden.is_dir():
            shutil.rmtree(files.golden)  # they were of other weights
        move_into_place(draft.validation, files.validation)
    except OSError as error:
        raise unwritable(files.model, error) from error


def _move_model(draft: Path, model: Path) -> None:
    """With its weights outside; or without an older model's, which nothing would read."""
    outside, old = (path.with_name(f"{path.name}.data") for path in (draft, model))
    if not outside.exists():
        move_into_place(draft, model)
        old.unlink(missing_ok=True)
        return
    model.unlink(missing_ok=True)  # between the two moves it would answer with the other's weights
    move_into_place(outside, old)
    move_into_place(draft, model)


def model_ref(model: Path, contract: Contract) -> ModelRef:
    """How reports name a file that is not yet in its place."""
    run = run_of(model)
    name = run.relative(model) if run else model.name
    return ModelRef(name, contract.arch, contract.weights, contract.run_id)
