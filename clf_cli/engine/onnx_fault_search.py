"""Which stage is at fault when an ONNX file does not answer like its checkpoint: each swapped alone, then together."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from clf_cli.data.library_caches import temporary_place
from clf_cli.engine.onnx_consumer import Consumer, Recipe, Tensor, open_consumer
from clf_cli.engine.onnx_fault import Fault, Stage, described, distance, fault_of, stages_between
from clf_cli.engine.onnx_fault_images import Pictures
from clf_cli.engine.onnx_fault_model import Case, Search, Swaps
from clf_cli.engine.onnx_fault_recipe import Bench, recipe_faults
from clf_cli.engine.onnx_fault_weights import same_tensors
from clf_cli.engine.onnx_metadata import Made, made_of
from clf_cli.errors import ExportError, ModelError, first_line
from clf_cli.models.classifier import Classifier
from clf_cli.values.predictions import FloatArray, log_probabilities
from clf_cli.values.run_dir import name_in_run

TOLERANCE = 1e-4  # of what must be equal but for the order of additions
_OPSET = 18  # of a fresh export, where the file does not say how it was made
_BETTER = 0.5  # times the error: what float32 must win for the precision to be at fault


@dataclass(frozen=True)
class Trial:
    """A file, its checkpoint, and the images on which they differ, or any others where nobody knows."""

    file: Consumer
    reference: Classifier
    pictures: Pictures
    tolerance: float = TOLERANCE
    threads: int | None = None

    def case(self) -> Case:
        ours = replace(self.reference.preprocess, normalized_in_graph=self.file.recipe.dtype == "uint8")
        inputs = self.pictures.training_inputs(ours)
        normal = self.pictures.training_inputs(self.reference.preprocess)
        logits = self.reference.logits(normal)
        expected = log_probabilities(logits) if self.file.output == "probabilities" else logits
        return Case(self.file, self.reference, inputs, expected, self.tolerance, self.threads)

    @property
    def right_recipe(self) -> Recipe:
        """What the checkpoint's preprocessing would have the file's contract say."""
        p = self.reference.preprocess
        return replace(
            self.file.recipe,
            exif=True,
            flatten=True,
            background=p.background,
            bars=p.background,
            color="RGB",
            resize_mode=p.resize_mode,
            interpolation=p.interpolation,
            antialias=True,
            crop_share=p.crop_share,
            divisor=255.0,
            mean=p.mean,
            std=p.std,
        )


def find_faults(trial: Trial) -> tuple[Fault, ...]:
    """The stages that explain why the file does not answer like its checkpoint; none where it does on these images.

    The model's side is judged on the inputs of the training path. The stages before it are then judged with the file's
    own network, or with the checkpoint's where the file's is at fault itself. Raises DataError (exit 3) for an image
    that cannot be read.
    """
    case = trial.case()
    search = Search(case)
    swaps = search.explained()
    sound = swaps == Swaps()
    network = case.ordered(case.file) if sound else _of_checkpoint(case)
    found, right = trial.file.recipe, trial.right_recipe
    if not sound:
        found, right = _as_torch_takes_it(found), _as_torch_takes_it(right)
    bench = Bench(network, trial.pictures, case.expected, trial.tolerance)
    faults = list(recipe_faults(bench, found, right))
    if swaps is None:
        faults.append(_graph_fault(case))
    elif not sound:
        faults += search.faults(swaps)
    return tuple(faults or [*_rounding(search), *_of_decoding(case, bench, right)] or _unseen(trial))


def _of_checkpoint(case: Case) -> Callable[[Tensor], FloatArray]:
    return lambda inputs: case.in_kind(case.reference.logits(inputs))


def _as_torch_takes_it(recipe: Recipe) -> Recipe:
    return replace(recipe, layout="NCHW", dtype="float32")


def _rounding(search: Search) -> tuple[Fault, ...]:
    """The precision, where nothing else is wrong and float32 would be much closer."""
    case = search.case
    if case.precision == "fp32" or case.back_in_float32 is None:
        return ()
    now, then = search.measured(Swaps()), search.measured(Swaps(precision=True))
    if now.relative > case.tolerance and then.error < now.error * _BETTER:
        return search.faults(Swaps(precision=True))
    return ()


def _of_decoding(case: Case, bench: Bench, right: Recipe) -> tuple[Fault, ...]:
    """Where a consumer that follows the right contract still gets other pixels than training did."""
    inputs = bench.pictures.prepared([right]).inputs(right)
    if inputs.shape == case.inputs.shape and np.array_equal(inputs, case.inputs):
        return ()
    off, fine = (distance(case.expected, bench.network(one)) for one in (inputs, case.inputs))
    if off.relative <= bench.tolerance:
        return ()
    return (fault_of("decode", ("the contract's pixels", "those of training"), len(case.inputs), off, fine),)


def _unseen(trial: Trial) -> tuple[Fault, ...]:
    """Stages that the contract gets wrong, though none of these images shows it."""
    found, right = trial.file.recipe, trial.right_recipe
    same = distance(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32))
    stages = stages_between(found, right)
    return tuple(
        fault_of(stage, (described(found, right, stage), described(right, found, stage)), 0, same, same)
        for stage in stages
    )


def _graph_fault(case: Case) -> Fault:
    """What no swap explains: weights of elsewhere, the simplifier's work, or the graph."""
    name = name_in_run(case.reference.path)
    now = distance(case.expected, case.ordered(case.file)(case.inputs))
    count, made = len(case.inputs), made_of(case.proto)
    with tempfile.TemporaryDirectory(prefix="clf-fault-", dir=temporary_place()) as folder:
        fresh = Path(folder) / "fresh.onnx"
        try:
            _export_again(case, fresh, made or Made("torch.export", _OPSET))
            answers = case.ordered(open_consumer(fresh, case.threads))(case.torch_inputs(case.inputs))
        except (ExportError, ModelError, OSError) as error:
            return fault_of("graph", ("its own", f"one like {name} ({first_line(error)})"), count, now, now)
        then = distance(case.expected, case.in_kind(answers))
        share = same_tensors(case.proto, onnx.load(fresh))
    stage, found, expected = _told(case, share, made.simplifier if made is not None else None)
    return fault_of(stage, (found, expected.format(name=name)), count, now, then)


def _told(case: Case, share: float, simplifier: str | None) -> tuple[Stage, str, str]:
    if share < 0.5:
        return "weights", "weights of no checkpoint that is there", f"{{name}} ({case.reference.weights})"
    if simplifier is not None:
        return "simplifier", simplifier, "a fresh export of {name} that was not simplified"
    return "graph", f"its own, with {share:.0%} of the weights", "a fresh export of {name}"


def _export_again(case: Case, path: Path, made: Made) -> None:
    """The checkpoint of the reference, plain, by the file's exporter. Raises ExportError and ModelError."""
    from clf_cli.engine.onnx_convert import write_onnx  # torch: only a checkpoint's search needs it
    from clf_cli.engine.onnx_export import contract_of
    from clf_cli.models.checkpoint import read_checkpoint
    from clf_cli.models.network import load_network

    if not case.reference.path.is_file():
        raise ModelError("its checkpoint is not at hand")
    checkpoint = read_checkpoint(case.reference.path)
    average = case.reference.weights == "ema" if checkpoint.scored_weights == "ema" else None
    network, weights = load_network(checkpoint, average, fused_attention=False)
    write_onnx(network, contract_of(checkpoint, weights), Made(made.exporter, made.opset), path)
