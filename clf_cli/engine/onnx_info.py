"""What an ONNX file says of itself: graph, operators, cost, and the contract when clf wrote it. Without torch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import onnx
import onnxruntime as ort  # type: ignore[import-untyped]  # ships no types

from clf_cli.engine.onnx_cost import Shape, multiply_adds, shape_of, shapes_of_one_image, weights_of
from clf_cli.engine.onnx_graph import external_files
from clf_cli.engine.onnx_metadata import made_of
from clf_cli.engine.onnx_precision import precision_of
from clf_cli.errors import ModelError
from clf_cli.models.onnx import check_graph, contract_of, open_session
from clf_cli.values.contract import Contract
from clf_cli.values.layer import Layer, layer_types
from clf_cli.values.precision import OnnxPrecision
from clf_cli.values.report import NEVER_VALIDATED, FindingJson, ModelRef, Report, finding
from clf_cli.values.run_dir import name_in_run


@dataclass(frozen=True)
class Tensor:
    """An input or output; `dtype` as numpy names it, `shape` None when the file does not tell."""

    name: str
    dtype: str
    shape: Shape | None


@dataclass(frozen=True)
class OnnxInfoResult:
    """The report of kind `onnx_info`."""

    kind: ClassVar[str] = "onnx_info"

    model: ModelRef | None  # None without a contract
    bytes: int  # external data left out
    external_data: Mapping[str, int | None]  # bytes by name; None for a file that is not there
    opsets: Mapping[str, int]  # by domain
    ir_version: int
    producer: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    parameters: int  # elements of every stored constant, save scales and zero points
    multiply_adds: int | None  # of one image; None when it cannot be counted
    layers: tuple[Layer, ...]  # the nodes
    available: tuple[str, ...]  # ONNX Runtime's providers on this machine
    used: tuple[str, ...]  # those that clf runs the file with; empty when it cannot be opened
    contract: Contract | None
    metadata: tuple[str, ...]  # keys
    findings: tuple[FindingJson, ...]
    precision: OnnxPrecision = "fp32"  # told from the graph
    quantizer: Mapping[str, Any] | None = None  # what clf says of how fp16 or int8 was made

    @property
    def report(self) -> Report:
        return Report(self, self.model, findings=self.findings)

    def to_result(self) -> dict[str, Any]:
        return {
            "parameters": self.parameters,
            "bytes": self.bytes,
            "external_data": dict(self.external_data),
            "multiply_adds": self.multiply_adds,
            "precision": self.precision,
            "quantizer": self.quantizer and dict(self.quantizer),
            "opsets": dict(self.opsets),
            "ir_version": self.ir_version,
            "producer": self.producer,
            "inputs": [asdict(tensor) for tensor in self.inputs],
            "outputs": [asdict(tensor) for tensor in self.outputs],
            "operators": layer_types(self.layers),
            "providers": {"available": list(self.available), "used": list(self.used)},
            "contract": self.contract and self.contract.to_json(),
            "metadata": list(self.metadata),
            "layers": [asdict(layer) for layer in self.layers],
        }


def onnx_info(path: Path) -> OnnxInfoResult:
    """Reads the file, also one that clf did not write or that ONNX Runtime refuses: the findings say so.

    Raises ModelError (exit 4) for a file that is missing or no ONNX.
    """
    reasons: list[str] = []
    model, session = _opened(path, reasons)
    contract = None if session is None else _contract(path, session, reasons)
    shapes = shapes_of_one_image(model)
    stored = {tensor.name for tensor in model.graph.initializer}
    weights, made = weights_of(model.graph), made_of(model)
    unscored = NEVER_VALIDATED if contract and contract.score is None else ()
    return OnnxInfoResult(
        model=None if contract is None else _ref(path, contract),
        bytes=path.stat().st_size,
        external_data={name: _size(path, name) for name in external_files(model)},
        opsets={entry.domain or "ai.onnx": entry.version for entry in model.opset_import},
        ir_version=model.ir_version,
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        inputs=_tensors(value for value in model.graph.input if value.name not in stored),
        outputs=_tensors(model.graph.output),
        parameters=sum(weights.values()),
        multiply_adds=multiply_adds(model, shapes),
        layers=_layers(model.graph.node, shapes, weights),
        available=available_providers(),
        used=() if session is None else tuple(session.get_providers()),
        contract=contract,
        metadata=tuple(entry.key for entry in model.metadata_props),
        findings=(*unscored, *(finding("onnx", reason) for reason in reasons)),
        precision=precision_of(model),
        quantizer=None if made is None else made.quantizer,
    )


def available_providers() -> tuple[str, ...]:
    """What ONNX Runtime could run files with on this machine; clf takes the CPU's, everywhere the same."""
    return tuple(ort.get_available_providers())


def _opened(path: Path, reasons: list[str]) -> tuple[onnx.ModelProto, ort.InferenceSession | None]:
    """The file's content, and the file in ONNX Runtime unless that refuses: then `reasons` gets its words."""
    try:
        session = open_session(path, 1)
    except ModelError as error:
        if not path.is_file():
            raise
        try:
            model = onnx.load(path, load_external_data=False)
        except Exception:  # noqa: BLE001  # protobuf's own, which onnx does not export
            raise error from None
        if not model.graph.node:  # what an empty file is read as
            raise
        reasons.append(error.message)
        return model, None
    return onnx.load(path, load_external_data=False), session


def _contract(path: Path, session: ort.InferenceSession, reasons: list[str]) -> Contract | None:
    """None when there is none, or none that can be read; one that describes another graph is told and kept."""
    try:
        contract = contract_of(path, session)
    except ModelError as error:
        reasons.append(error.message)
        return None
    try:
        check_graph(path, session, contract)
    except ModelError as error:
        reasons.append(error.message)
    return contract


def _ref(path: Path, contract: Contract) -> ModelRef:
    return ModelRef(name_in_run(path), contract.arch, contract.weights, contract.run_id)


def _size(path: Path, name: str) -> int | None:
    """Of the file beside `path` in which clf would read weights; no other path of a file is followed."""
    beside = path.with_name(f"{path.name}.data")
    return beside.stat().st_size if name == beside.name and beside.is_file() else None


def _tensors(values: Iterator[onnx.ValueInfoProto] | Sequence[onnx.ValueInfoProto]) -> tuple[Tensor, ...]:
    return tuple(Tensor(value.name, _dtype(value), shape_of(value)) for value in values)


def _dtype(value: onnx.ValueInfoProto) -> str:
    """`float32`; the kind of a value that is no tensor, such as `sequence_type`."""
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type" or not value.type.tensor_type.elem_type:
        return kind or "unknown"
    return str(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))


def _layers(
    nodes: Sequence[onnx.NodeProto], shapes: Mapping[str, Shape], weights: Mapping[str, int]
) -> tuple[Layer, ...]:
    """Operators of another domain than ONNX's carry its name."""
    return tuple(
        Layer(
            name=node.name or node.output[0],
            type=node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}",
            output=shapes.get(node.output[0], ())[1:],
            parameters=sum(weights.get(name, 0) for name in dict.fromkeys(node.input)),
        )
        for node in nodes
    )
