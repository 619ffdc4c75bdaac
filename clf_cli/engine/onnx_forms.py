"""ONNX files as forms of a model to time. Never imports torch."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, get_args

import onnx
import onnxruntime as ort  # type: ignore[import-untyped]  # ships no types

from clf_cli.engine.benchmark import Answer, Form
from clf_cli.engine.onnx_precision import precision_of
from clf_cli.engine.onnx_variants import suffix_of
from clf_cli.errors import ModelError
from clf_cli.models.onnx import contract_of, open_session
from clf_cli.settings.onnx_sections import VariantSection
from clf_cli.values.contract import CONTRACT_KEY
from clf_cli.values.precision import OnnxPrecision
from clf_cli.values.preprocess import InputArray
from clf_cli.values.report import ModelRef
from clf_cli.values.run_dir import name_in_run

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
}


def onnx_form(path: Path, made: bool = False) -> Form:
    """The file, on the CPU, also one that clf did not write: its input alone is looked at.

    Raises ModelError (exit 4) where it is none, or takes anything but one batch of images of one size.
    """
    shape, dtype = _one_input(path, open_session(path, 1))
    outside = path.with_name(f"{path.name}.data")
    size = sum(file.stat().st_size for file in (path, outside) if file.is_file())
    name = f"onnx {precision_of(onnx.load(path, load_external_data=False))}"
    return Form(name, path.name, size, shape, dtype, lambda threads: _answer(path, threads), made)


def with_siblings(path: Path) -> tuple[tuple[Form, ...], tuple[str, ...]]:
    """The file and those beside it that `clf export` names as its other precisions, float32 first, and a sentence on
    each that is not there."""
    forms, notes = [onnx_form(path)], []
    for other in siblings(path):
        if not other.is_file():
            notes.append(f"Not timed: there is no {other}.")
        elif (form := onnx_form(other)).name not in {one.name for one in forms}:
            forms.append(form)
    order = [f"onnx {precision}" for precision in get_args(OnnxPrecision)]
    return tuple(sorted(forms, key=lambda form: order.index(form.name))), tuple(notes)


def siblings(path: Path) -> tuple[Path, ...]:
    """The names of the same variant in the other precisions: model.onnx and model-fp16.onnx of model-int8.onnx."""
    variants = [
        VariantSection(precision=precision, with_softmax=softmax, with_preprocess=pixels)
        for precision, softmax, pixels in product(get_args(OnnxPrecision), (False, True), (False, True))
    ]
    own = max((one for one in variants if path.stem.endswith(suffix_of(one))), key=lambda one: len(suffix_of(one)))
    base = path.stem.removesuffix(suffix_of(own))
    others = [one for one in get_args(OnnxPrecision) if one != own.precision]
    suffixes = [suffix_of(own.model_copy(update={"precision": precision})) for precision in others]
    return tuple(path.with_name(f"{base}{suffix}{path.suffix}") for suffix in suffixes)


def ref_of(path: Path) -> ModelRef | None:
    """How the report names the model; None for a file without a contract of ours."""
    session = open_session(path, 1)
    if CONTRACT_KEY not in session.get_modelmeta().custom_metadata_map:
        return None
    contract = contract_of(path, session)
    return ModelRef(name_in_run(path), contract.arch, contract.weights, contract.run_id)


def _one_input(path: Path, session: ort.InferenceSession) -> tuple[tuple[int, ...], str]:
    """Shape of one image and the values' type."""
    inputs: Sequence[Any] = session.get_inputs()
    shown = ", ".join(f"{one.name} {one.type} {one.shape}" for one in inputs)
    if len(inputs) == 1 and inputs[0].type in _DTYPES and len(inputs[0].shape) > 1:
        shape = tuple(inputs[0].shape[1:])
        if all(isinstance(side, int) for side in shape):
            return shape, _DTYPES[inputs[0].type]
    raise ModelError(
        f"{path} takes {shown or 'nothing'}: only files that take one batch of images of one size can be timed.",
        "Export one with `clf export CHECKPOINT -o FILE`.",
    )


def _answer(path: Path, threads: int) -> Answer:
    """Operators run one after another, each on that many threads."""
    session = open_session(path, threads)
    name, batch = session.get_inputs()[0].name, session.get_inputs()[0].shape[0]

    def answer(images: InputArray) -> object:
        try:
            return session.run(None, {name: images})
        except Exception as error:  # ONNX Runtime's exceptions have no base of their own
            if "allocat" in str(error):
                raise MemoryError(str(error)) from error
            only = f"It was made for batches of {batch}. " if isinstance(batch, int) else ""
            hint = "Take other --batch-sizes, or export it again with `clf export CHECKPOINT -o FILE`."
            raise ModelError(f"{path} cannot answer for a batch of {len(images)}.", f"{only}{hint}") from error

    return answer
