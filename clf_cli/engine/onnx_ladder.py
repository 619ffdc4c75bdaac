"""The ways to make an ONNX file of a network, best first: the first whose answers agree is kept."""

from dataclasses import dataclass, replace
from pathlib import Path

from clf_cli.engine.onnx_check_result import OnnxCheckResult
from clf_cli.engine.onnx_child import Limits
from clf_cli.engine.onnx_convert import strip_foreign_metadata
from clf_cli.engine.onnx_fallen import Fallen
from clf_cli.engine.onnx_judge import Judge
from clf_cli.engine.onnx_metadata import Exporter, Made, metadata
from clf_cli.engine.onnx_opset import NEWEST_TRACED, OLDEST, require_opset
from clf_cli.engine.onnx_rung import CHILD as EXPORTER
from clf_cli.engine.onnx_rung import Request, write_here, write_in_child
from clf_cli.engine.onnx_simplify import CHILD as SIMPLIFIER
from clf_cli.engine.onnx_simplify import simplified, simplifier
from clf_cli.errors import ExportError, ModelError
from clf_cli.models.checkpoint import Checkpoint
from clf_cli.models.malloc import give_back_freed_memory
from clf_cli.settings.onnx_sections import ExportSection
from clf_cli.values.contract import Contract

IN_PROCESS: Exporter = "torchscript"  # what it needs is imported; the others get a child each
RUNGS: tuple[Exporter, ...] = (IN_PROCESS, "torch.export", "torch.export unoptimised", "torchscript unoptimised")


@dataclass(frozen=True)
class Climbed:
    """How the file was made, what its check said, and which tools fell before."""

    made: Made
    check: OnnxCheckResult
    fallen: tuple[Fallen, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """For people."""
        kept = (f"The file comes from {self.made.exporter}.",) if self.made.exporter != IN_PROCESS else ()
        return (*(one.line for one in self.fallen), *kept, *self.notes)


def rungs(opset: int) -> tuple[Exporter, ...]:
    """The exporters that are tried, in order. torch.export's writes nothing below 18, whatever it is asked."""
    return tuple(one for one in RUNGS if (opset <= NEWEST_TRACED if one.startswith("torchscript") else opset > OLDEST))


def climb(checkpoint: Checkpoint, contract: Contract, judge: Judge, section: ExportSection, model: Path) -> Climbed:
    """Writes `model` of the weights that `contract` names, with it inside, in a folder of its own.

    Raises UsageError (exit 2) for an opset that cannot be written here, ExportError (exit 5) when no way gives a file
    that agrees, RunError (exit 6) where the disk is full.
    """
    require_opset(section.opset)
    fallen: list[Fallen] = []
    for exporter in rungs(section.opset):
        made = Made(exporter, section.opset)
        try:
            _write(checkpoint, Request(checkpoint.path, contract, made, model), section)
            check = _passed(judge, model, section)
            give_back_freed_memory()  # of both networks' answers: at 224 px 450 MB
        except ExportError as error:
            fallen.append(Fallen(exporter, error.message))
            for file in (model, model.with_name(f"{model.name}.data")):
                file.unlink(missing_ok=True)
        else:
            return _simpler(model, contract, judge, section, Climbed(made, check, tuple(fallen)))
    raise ExportError(
        f"No exporter makes an ONNX file of {contract.arch} at opset {section.opset} that answers like "
        f"{judge.reference.path}. {' '.join(one.line for one in fallen)}",
        "Nothing was published; the checkpoint is untouched. Another opset may do better.",
    )


def limits(section: ExportSection) -> Limits:
    """Of each tool in a child."""
    return Limits(section.step_seconds, section.step_memory)


def _write(checkpoint: Checkpoint, request: Request, section: ExportSection) -> None:
    if request.made.exporter != IN_PROCESS:
        write_in_child(request, limits(section), EXPORTER)
        return
    try:
        write_here(checkpoint, request)
    except MemoryError as error:
        raise ExportError("it needs more memory than there is") from error


def _passed(judge: Judge, model: Path, section: ExportSection) -> OnnxCheckResult:
    """Raises ExportError, whose message is a clause, for a file that is not kept."""
    try:
        check = judge.check(model)
    except ModelError as error:  # ONNX Runtime does not open it
        raise ExportError(error.message.rstrip(".")) from error
    if check.graph.opset != section.opset:
        raise ExportError(f"it wrote opset {check.graph.opset}, asked was {section.opset}")
    if not check.passed:
        raise ExportError("; ".join(check.reasons))
    return check


def _simpler(model: Path, contract: Contract, judge: Judge, section: ExportSection, climbed: Climbed) -> Climbed:
    """Lets onnxsim's result take the draft's place if it is asked for and passes the same check; else says why not."""
    if not section.simplify:
        return climbed
    rough, clean = model.with_suffix(".rough"), model.with_suffix(".clean.onnx")
    made = replace(climbed.made, simplifier=simplifier())
    try:
        if climbed.check.graph.external_data:
            raise ExportError("the file is too large for it")
        simplified(model, rough, limits(section), SIMPLIFIER)
        strip_foreign_metadata(rough, clean, metadata(contract, made))
        check = _passed(judge, clean, section)
    except ExportError as error:
        return replace(climbed, fallen=(*climbed.fallen, Fallen("onnxsim", error.message)))
    clean.replace(model)
    nodes = f"{climbed.check.graph.nodes} to {check.graph.nodes} nodes"
    return replace(climbed, made=made, check=check, notes=(f"onnxsim: {nodes}, the answers agree.",))
