"""An ONNX file and its companions, made aside, take their places together."""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from clf_cli.errors import UsageError
from clf_cli.files import move_into_place, unwritable
from clf_cli.locks import try_lock
from clf_cli.values.contract import Contract
from clf_cli.values.onnx_files import OnnxFiles, files_beside
from clf_cli.values.report import ModelRef
from clf_cli.values.run_dir import run_of

MOVING = 30.0  # seconds; far more than four renames take


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
    """The model first, so that an error leaves its companions as they were. Raises RunError (exit 6).

    Of two exports to one place the second waits for the first to be there as a whole.
    """
    try:
        with _turn(files.model.parent):
            _move(draft, files, has_golden)
    except OSError as error:
        raise unwritable(files.model, error) from error


@contextlib.contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Waits until no other export moves its files into `folder`; where folders cannot be locked, for nothing."""
    until = time.monotonic() + MOVING
    descriptor = os.open(folder, os.O_RDONLY) if os.name == "posix" else None
    try:
        while descriptor is not None and try_lock(descriptor) is False and time.monotonic() < until:
            time.sleep(0.02)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _move(draft: OnnxFiles, files: OnnxFiles, has_golden: bool) -> None:
    _move_model(draft.model, files.model)
    move_into_place(draft.labels_mapping, files.labels_mapping)
    if has_golden:
        move_into_place(draft.golden, files.golden)
    elif files.golden.is_dir():
        shutil.rmtree(files.golden)  # they were of other weights
    move_into_place(draft.validation, files.validation)


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
