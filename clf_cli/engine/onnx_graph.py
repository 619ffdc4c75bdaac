"""What an ONNX file's graph is, and whether it keeps the contract: one input, one output, a dynamic batch axis."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx

from clf_cli.values.preprocess import Preprocess

BATCH_AXIS = "batch_size"


@dataclass(frozen=True)
class GraphFacts:
    """`opset` is read from the file, never what was asked for; `bytes` counts a file of external data too."""

    opset: int
    ir_version: int
    nodes: int
    bytes: int
    external_data: bool
    input_shape: tuple[int | str, ...]  # a name is a dynamic axis
    output_shape: tuple[int | str, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def graph_facts(path: Path) -> GraphFacts:
    """Reads the file that ONNX Runtime already opened; its opset is that of the default domain."""
    model = onnx.load(path, load_external_data=False)
    outside = external_files(model)
    return GraphFacts(
        opset=next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0),
        ir_version=model.ir_version,
        nodes=len(model.graph.node),
        bytes=path.stat().st_size + sum((path.parent / name).stat().st_size for name in outside),
        external_data=bool(outside),
        input_shape=_shape(model.graph.input[0]),
        output_shape=_shape(model.graph.output[0]),
    )


def external_files(model: onnx.ModelProto) -> tuple[str, ...]:
    """Names of the files beside the model in which its weights lie."""
    entries = (entry for tensor in model.graph.initializer for entry in tensor.external_data)
    return tuple(sorted({entry.value for entry in entries if entry.key == "location"}))


def graph_problems(path: Path, facts: GraphFacts, preprocess: Preprocess, classes: int) -> tuple[str, ...]:
    """Sentences about what ONNX's full checker or the contract rejects; names and dtypes were checked on opening."""
    problems = []
    try:
        onnx.checker.check_model(str(path), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        problems.append(f"the ONNX checker rejects the file: {str(error).strip().splitlines()[0]}")
    for what, shape, rest in (
        ("input", facts.input_shape, preprocess.input_shape),
        ("output", facts.output_shape, (classes,)),
    ):
        if shape[1:] != rest:
            problems.append(f"the {what} is {_shown(shape)}, the contract says {_shown((BATCH_AXIS, *rest))}")
        if isinstance(shape[0], int):
            problems.append(f"the batch axis of the {what} is fixed at {shape[0]}")
    return tuple(problems)


def _shape(value: onnx.ValueInfoProto) -> tuple[int | str, ...]:
    return tuple(axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim)


def _shown(shape: tuple[int | str, ...]) -> str:
    return " x ".join(map(str, shape))
