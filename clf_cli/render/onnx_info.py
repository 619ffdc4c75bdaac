"""An ONNX file in a table: its graph, then its contract."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.engine.onnx_info import OnnxInfoResult, Tensor
from clf_cli.render.layers import layer_table, types_line
from clf_cli.render.preprocess import preprocess_rows
from clf_cli.render.text import UNDEFINED, counted, decimal, named, scaled
from clf_cli.values.contract import Contract


def table(result: OnnxInfoResult) -> RenderableType:
    """The graph with its operators by type, and the contract."""
    return _grid(_rows(result, ("Operators", types_line(result.layers))))


def table_with_layers(result: OnnxInfoResult) -> RenderableType:
    """The same, with every node in a row of its own."""
    return Group(_grid(_rows(result)), layer_table(result.layers))


def _grid(rows: Iterator[tuple[str, str]]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    for name, value in rows:
        grid.add_row(name, Text(value))
    return grid


def _rows(result: OnnxInfoResult, *operators: tuple[str, str]) -> Iterator[tuple[str, str]]:
    yield "Parameters", f"{result.parameters:,}"
    yield "Size", f"{result.bytes / 1e6:.1f} MB{_outside(result)}"
    yield "Multiply-adds", UNDEFINED if result.multiply_adds is None else f"{scaled(result.multiply_adds)} per image"
    yield "Precision", _precision(result)
    for name, tensors in (("Graph input", result.inputs), ("Graph output", result.outputs)):
        yield from ((name, _tensor(tensor)) for tensor in tensors)
    yield "Opset", ", ".join(f"{version} ({domain})" for domain, version in result.opsets.items())
    yield "Written by", f"{result.producer or 'unknown'}, IR version {result.ir_version}"
    yield from operators
    yield "Providers", f"available: {', '.join(result.available)}; used: {', '.join(result.used) or 'none'}"
    if result.contract is not None:
        yield from _contract_rows(result.contract)
    elif result.metadata:
        yield "Metadata", ", ".join(result.metadata)


def _contract_rows(contract: Contract) -> Iterator[tuple[str, str]]:
    score = contract.score
    yield "Architecture", contract.arch
    yield "Weights", contract.weights
    yield "Score", "never validated" if score is None else f"{score.metric} {_value(score.value)}"
    yield from preprocess_rows(contract.preprocess)
    yield "Classes", named(tuple(contract.labels))
    yield "Temperature", "not calibrated" if contract.temperature is None else decimal(contract.temperature)
    if contract.thresholds is not None:
        there = sum(threshold is not None for threshold in contract.thresholds)
        yield "Thresholds", f"{counted(there, 'class')} of {len(contract.thresholds)}"
    yield "Run", f"{contract.run_id or UNDEFINED}, data {contract.data_fingerprint or UNDEFINED}, clf {contract.clf}"


def _precision(result: OnnxInfoResult) -> str:
    """With what made it, where clf says."""
    said = result.quantizer or {}
    how = said.get("calibration") or said.get("tool")
    return result.precision if how is None else f"{result.precision}: {how}"


def _outside(result: OnnxInfoResult) -> str:
    """Files of weights beside the model."""
    sizes = (
        f"{name} {'is missing' if size is None else f'{size / 1e6:.1f} MB'}"
        for name, size in result.external_data.items()
    )
    return "".join(f" + {text}" for text in sizes)


def _tensor(tensor: Tensor) -> str:
    shape = UNDEFINED if tensor.shape is None else " × ".join(UNDEFINED if a is None else str(a) for a in tensor.shape)
    return f"{tensor.name} {tensor.dtype} {shape}"


def _value(value: float | None) -> str:
    return UNDEFINED if value is None else decimal(value)
