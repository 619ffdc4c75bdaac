"""A network in memory to one ONNX file that holds the same answers, its contract, and nothing about this machine."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn

from clf_cli import __version__
from clf_cli.engine.onnx_graph import BATCH_AXIS, GraphFacts, graph_facts, graph_problems
from clf_cli.engine.onnx_metadata import Made, metadata
from clf_cli.errors import ClfError, ExportError, first_line
from clf_cli.values.contract import Contract


def write_onnx(network: nn.Module, contract: Contract, opset: int, path: Path) -> GraphFacts:
    """Converts `network` (float32, on the CPU, built with fused attention off) and writes it to `path`, checked.

    The network is switched to eval mode. Above 1.5 GB of weights the exporter puts them into `<path>.data`. The same
    network gives the same bytes. Raises ExportError (exit 5).
    """
    try:
        program = _converted(network.eval(), contract, opset)
        _make_ours(program.model, contract, opset)
        program.save(path, external_data=False)
        facts = graph_facts(path)
        problems = graph_problems(path, facts, contract.preprocess, len(contract.labels))
    except (ClfError, MemoryError, OSError):
        raise
    except Exception as error:  # the exporter raises whatever its passes raise
        reason = f"{type(error).__name__}: {first_line(_innermost(error))}"
        raise ExportError(
            f"{contract.arch} cannot be exported at opset {opset}: {reason}",
            "Try another --opset; the checkpoint is untouched.",
        ) from error
    if facts.opset != opset:
        raise ExportError(
            f"{contract.arch}: the exporter wrote opset {facts.opset}, asked was {opset}.",
            f"Export with --opset {facts.opset}.",
        )
    if problems:
        raise ExportError(f"The export of {contract.arch} failed its check: {'; '.join(problems)}.")
    return facts


def _converted(network: nn.Module, contract: Contract, opset: int) -> Any:
    size = contract.preprocess
    example = torch.zeros(2, 3, size.height, size.width)
    with _quiet(), torch.inference_mode(False), torch.no_grad():
        return torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            opset_version=opset,
            input_names=["input"],
            output_names=[contract.output],
            dynamic_shapes=({0: BATCH_AXIS},),
            external_data=False,
            verbose=False,
        )


def _make_ours(model: Any, contract: Contract, opset: int) -> None:
    """Drops the exporter's notes (stack traces with paths of this machine, among others) and writes the contract."""
    model.doc_string = None
    for graph in (model.graph, *model.functions.values()):
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
    model.metadata_props.update(metadata(contract, Made("torch.export", opset)))
    model.producer_name, model.producer_version = "clf", __version__


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter's deprecation warnings, log lines and printed graphs are about its own code, for no user."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    nowhere = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def strip_foreign_metadata(source: Path, target: Path, metadata: dict[str, str]) -> None:
    """Writes `source` to `target` with exactly `metadata`, dropping what a tool added and its notes on nodes."""
    model = onnx.load(source)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, metadata)
    model.producer_name, model.producer_version = "clf", __version__
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    onnx.save(model, target)


def _innermost(error: BaseException) -> BaseException:
    """The cause; the errors around it only say that a pass failed."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
