"""The ways to make an ONNX file of a network, best first: the first whose answers agree is kept."""

from dataclasses import dataclass
from pathlib import Path

from clf_cli.engine.onnx_check_result import OnnxCheckResult
from clf_cli.engine.onnx_convert import strip_foreign_metadata, write_onnx
from clf_cli.engine.onnx_judge import Judge
from clf_cli.engine.onnx_metadata import Made, metadata
from clf_cli.engine.onnx_simplify import simplified
from clf_cli.errors import ExportError
from clf_cli.models.checkpoint import Checkpoint
from clf_cli.models.network import load_network
from clf_cli.settings.onnx_sections import ExportSection
from clf_cli.values.contract import Contract


@dataclass(frozen=True)
class Climbed:
    """How the file was made, what its check said, and why other ways fell."""

    made: Made
    check: OnnxCheckResult
    fallen: tuple[str, ...] = ()  # a sentence each
    notes: tuple[str, ...] = ()


def climb(
    checkpoint: Checkpoint, ema: bool | None, contract: Contract, judge: Judge, section: ExportSection, model: Path
) -> Climbed:
    """Writes `model`, with `contract` inside. Raises ExportError (exit 5) when no way gives a file that agrees."""
    network, _ = load_network(checkpoint, ema, fused_attention=False)
    made = Made("torch.export", section.opset)
    write_onnx(network, contract, section.opset, model)
    check = judge.check(model)
    if check.reasons:
        raise ExportError(
            f"The ONNX file of {judge.reference.path} does not answer like it: {'; '.join(check.reasons)}.",
            "Nothing was published. Another --opset may do better.",
        )
    return _try_simpler(model, contract, judge, Climbed(made, check)) if section.simplify else Climbed(made, check)


def _try_simpler(model: Path, contract: Contract, judge: Judge, climbed: Climbed) -> Climbed:
    """Lets onnxsim's result take the draft's place if it passes the same check; else says why not."""
    rough, clean = model.with_suffix(".rough"), model.with_suffix(".clean.onnx")
    problem = "the file is too large for it" if climbed.check.graph.external_data else simplified(model, rough)
    if problem is None:
        made = Made(climbed.made.exporter, climbed.made.opset, simplifier="onnxsim")
        strip_foreign_metadata(rough, clean, metadata(contract, made))
        simpler = judge.check(clean)
        if simpler.passed:
            clean.replace(model)
            nodes = f"{climbed.check.graph.nodes} to {simpler.graph.nodes} nodes"
            return Climbed(made, simpler, notes=(f"onnxsim: {nodes}, the answers agree.",))
        problem = "; ".join(simpler.reasons)
    return Climbed(climbed.made, climbed.check, notes=(f"onnxsim's result was dropped: {problem}.",))
