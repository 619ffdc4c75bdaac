"""A network in memory to one ONNX file that holds the same answers, its contract, and nothing about this machine."""

import tempfile
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn

from clf_cli import __version__
from clf_cli.engine.onnx_child import is_disk_error, reason_of
from clf_cli.engine.onnx_graph import BATCH_AXIS, GraphFacts, graph_facts, graph_problems
from clf_cli.engine.onnx_metadata import Made, metadata
from clf_cli.engine.onnx_quiet import quiet
from clf_cli.engine.onnx_trace import trace, traced
from clf_cli.errors import ExportError
from clf_cli.values.contract import Contract

SMALL = 1024  # bytes of a tensor that stays in the file even then
LARGE = 1536 * 2**20  # bytes of weights above which they go into a second file, by torch's exporter too


def write_onnx(network: nn.Module, contract: Contract, made: Made, path: Path) -> GraphFacts:
    """Converts `network` (float32, on the CPU, built with fused attention off) and writes it to `path`, checked.

    The network is switched to eval mode. Above 1.5 GB of weights they go into `<path>.data`. The same network gives the
    same bytes. Raises ExportError (exit 5), whose message is a clause: `it wrote opset 18, asked was 17`. A full disk
    raises OSError.
    """
    try:
        with quiet(), torch.inference_mode(False), torch.no_grad():
            _write(network.eval(), contract, made, path)
        facts = graph_facts(path)
        problems = graph_problems(path, facts, contract.preprocess, len(contract.labels))
    except ExportError:
        raise
    except Exception as error:  # the exporters raise whatever their passes raise
        if is_disk_error(error):
            raise
        raise ExportError(f"it failed: {reason_of(error)}") from error
    if facts.opset != made.opset:
        raise ExportError(f"it wrote opset {facts.opset}, asked was {made.opset}")
    if problems:
        raise ExportError(f"its file is no good: {'; '.join(problems)}")
    return facts


def _write(network: nn.Module, contract: Contract, made: Made, path: Path) -> None:
    if made.exporter == "torchscript":
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            model = traced(network, contract, made.opset, Path(folder) / path.name)
            _make_ours(model, metadata(contract, made))
            _save(model, path)
    elif made.exporter == "torchscript unoptimised":
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            trace(network, contract, made.opset, Path(folder) / path.name)
            strip_foreign_metadata(Path(folder) / path.name, path, metadata(contract, made))
    else:
        _export(network, contract, made, path)


def _export(network: nn.Module, contract: Contract, made: Made, path: Path) -> None:
    size = contract.preprocess
    program: Any = torch.onnx.export(
        network,
        (torch.zeros(2, 3, size.height, size.width),),
        dynamo=True,
        optimize=made.exporter == "torch.export",
        opset_version=made.opset,
        input_names=[contract.input_name],
        output_names=[contract.answers],
        dynamic_shapes=({0: BATCH_AXIS},),
        external_data=False,
        verbose=False,
    )
    _make_ours(program.model, metadata(contract, made))
    program.save(path, external_data=False)


def _save(model: Any, path: Path) -> None:
    from onnxscript import ir  # loaded: it made the model

    beside = path.with_name(f"{path.name}.data")
    beside.unlink(missing_ok=True)
    large = sum(value.const_value.nbytes for value in model.graph.initializers.values()) > LARGE
    ir.save(model, path, external_data=beside.name if large else None, size_threshold_bytes=SMALL)


def _make_ours(model: Any, metadata: dict[str, str]) -> None:
    """Drops the exporter's notes (stack traces with paths of this machine, among others) and writes the contract."""
    model.doc_string = None
    for graph in (model.graph, *model.functions.values(), *model.graph.subgraphs()):
        graph.doc_string = None
        graph.metadata_props.clear()
        for node in graph.all_nodes():
            node.doc_string = None
            node.metadata_props.clear()
            for value in (*node.inputs, *node.outputs):
                if value is not None:
                    value.doc_string = None
                    value.metadata_props.clear()
        for value in (*graph.inputs, *graph.outputs):
            value.metadata_props.clear()
    model.metadata_props.clear()
    model.metadata_props.update(metadata)
    model.producer_name, model.producer_version = "clf", __version__


def strip_foreign_metadata(source: Path, target: Path, metadata: dict[str, str]) -> None:
    """Writes `source` to `target` with exactly `metadata`, dropping what a tool added and its notes on nodes.

    Weights of more than 1.5 GB go into `<target>.data`, without what an earlier file of that name held.
    """
    model = onnx.load(source)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, metadata)
    model.producer_name, model.producer_version = "clf", __version__
    model.doc_string = ""
    _strip_graph(model.graph)
    for function in model.functions:
        function.doc_string = ""
        _strip_nodes(function.node)
    beside = target.with_name(f"{target.name}.data")
    beside.unlink(missing_ok=True)  # onnx appends to it
    large = sum(len(tensor.raw_data) for tensor in model.graph.initializer) > LARGE
    onnx.save(model, target, save_as_external_data=large, location=beside.name, size_threshold=SMALL)


def _strip_graph(graph: onnx.GraphProto) -> None:
    graph.doc_string = ""
    del graph.metadata_props[:]
    for value in (*graph.input, *graph.output, *graph.value_info):
        value.doc_string = ""
        del value.metadata_props[:]
    _strip_nodes(graph.node)


def _strip_nodes(nodes: Any) -> None:
    for node in nodes:
        node.doc_string = ""
        del node.metadata_props[:]
        for attribute in node.attribute:
            for graph in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                _strip_graph(graph)
