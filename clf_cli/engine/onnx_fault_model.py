"""Which part of the model is at fault: its labels, channels, arithmetic, weights or graph; on inputs that are right."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from pathlib import Path

import numpy as np
import onnx

from clf_cli.data.library_caches import temporary_place
from clf_cli.engine.onnx_consumer import Consumer, Tensor, open_consumer
from clf_cli.engine.onnx_fault import Distance, Fault, Stage, distance, fault_of
from clf_cli.engine.onnx_fault_labels import best_order, in_words
from clf_cli.engine.onnx_fault_recipe import worst_last
from clf_cli.engine.onnx_fault_weights import other_weights
from clf_cli.engine.onnx_known_ways import NORMALISATIONS
from clf_cli.engine.onnx_precision import precision_of, without_precision
from clf_cli.errors import ModelError
from clf_cli.models.classifier import Classifier
from clf_cli.values.precision import OnnxPrecision
from clf_cli.values.predictions import FloatArray, log_probabilities
from clf_cli.values.preprocess import normalize
from clf_cli.values.run_dir import name_in_run, run_of

# The largest error (see Distance) that rounding explains. Measured on tf_efficientnet_lite0: fp16 0.003, int8 0.06;
# of the rounded weights alone 0.003 and 0.04.
_ROUNDING: dict[OnnxPrecision, float] = {"fp32": 0.0, "fp16": 0.03, "int8": 0.25}
_ROUNDED_WEIGHTS: dict[OnnxPrecision, float] = {"fp32": 0.0, "fp16": 0.01, "int8": 0.1}


@dataclass(frozen=True)
class Swaps:
    """What is swapped: channels, arithmetic, the order of the labels, and which weights the answers are compared with
    (0: those of the checkpoint)."""

    channels: bool = False
    precision: bool = False
    labels: bool = False
    weights: int = 0

    @property
    def count(self) -> int:
        return self.channels + self.precision + self.labels + (self.weights > 0)


@dataclass(frozen=True)
class Instead:
    """What a file might answer like by mistake: (N, C) in the checkpoint's order; `words` are found and expected."""

    stage: Stage
    words: tuple[str, str]
    answers: FloatArray


@dataclass(frozen=True)
class Case:
    """A file and the checkpoint that it should answer like, on inputs of the training path.

    `inputs` (N, ...) are as the file takes them, `expected` (N, C) what the checkpoint answers for them, in its order
    of labels and in the kind that the file gives; `tolerance` that of the gates.
    """

    file: Consumer
    reference: Classifier
    inputs: Tensor
    expected: FloatArray
    tolerance: float
    threads: int | None = None

    @cached_property
    def proto(self) -> onnx.ModelProto:
        return onnx.load(self.file.path)

    @cached_property
    def precision(self) -> OnnxPrecision:
        """By the graph, whatever the contract says."""
        return precision_of(self.proto)

    @cached_property
    def others(self) -> tuple[Instead, ...]:
        """What the file might answer like: other weights, or pixels that its graph makes something else of."""
        return tuple(self._other_answers())

    @cached_property
    def back_in_float32(self) -> Callable[[Tensor], FloatArray] | None:
        """The file's own graph without its precision; None where that cannot be made, or does not run."""
        with tempfile.TemporaryDirectory(prefix="clf-fault-", dir=temporary_place()) as folder:
            path = Path(folder) / "plain.onnx"
            try:
                onnx.save(without_precision(self.proto), path)
                opened = open_consumer(path, self.threads, self.file.contract or None)
                opened.logits(self.inputs[:1])
            except ModelError:
                return None
        return self.ordered(replace(opened, labels=self.file.labels))

    def ordered(self, consumer: Consumer) -> Callable[[Tensor], FloatArray]:
        """Its answers in the checkpoint's order of labels."""
        columns = [consumer.labels.indices[name] for name in self.reference.labels]
        return lambda inputs: consumer.logits(inputs)[:, columns]

    def in_kind(self, logits: FloatArray) -> FloatArray:
        return log_probabilities(logits) if self.file.output == "probabilities" else logits

    def turned(self, inputs: Tensor) -> Tensor:
        """The same with the channels the other way round."""
        axis = 1 if self.file.recipe.layout == "NCHW" else -1
        return np.ascontiguousarray(np.flip(inputs, axis))

    def torch_inputs(self, inputs: Tensor) -> FloatArray:
        """Pixels normalised as the checkpoint asks for."""
        return normalize(inputs, self.reference.preprocess) if inputs.dtype == np.uint8 else inputs

    def _other_answers(self) -> Iterator[Instead]:
        normal = self.torch_inputs(self.inputs)
        if self.inputs.dtype == np.uint8:
            yield from self._other_pixels(normal)
        usual = f"{name_in_run(self.reference.path)} ({self.reference.weights})"
        for other in other_weights(self.reference, run_of(self.file.path)):
            yield Instead("weights", (other.name, usual), self.in_kind(other.logits(normal)))

    def _other_pixels(self, normal: FloatArray) -> Iterator[Instead]:
        """Turned or normalised otherwise behind the file's input, where pixels cannot show it."""
        right, recipe, torch = self.reference.preprocess, self.file.recipe, self.reference.logits
        turned = np.ascontiguousarray(normal[:, ::-1])
        yield Instead("color order", ("BGR inside the graph", "RGB"), self.in_kind(torch(turned)))
        words = f"mean {_numbers(right.mean)}, std {_numbers(right.std)}"
        for mean, std in dict.fromkeys(((recipe.mean, recipe.std), *NORMALISATIONS)):
            if (mean, std) != (right.mean, right.std):
                inputs = normalize(self.inputs, replace(right, mean=mean, std=std))
                found = f"mean {_numbers(mean)}, std {_numbers(std)} inside the graph"
                yield Instead("normalisation", (found, words), self.in_kind(torch(inputs)))


@dataclass(frozen=True)
class Search:
    """Every combination of swaps of one case, measured when it is asked for; the file answers once for each input."""

    case: Case
    _answers: dict[tuple[bool, bool], FloatArray] = field(default_factory=dict)

    def measured(self, swaps: Swaps) -> Distance:
        expected, found = self._pair(swaps)
        if not swaps.labels:
            return distance(expected, found)
        order = best_order(expected, found)
        return distance(expected, found[:, order] if order is not None else np.full_like(found, np.nan))

    def close(self, swaps: Swaps, measured: Distance) -> bool:
        """Whether nothing but rounding is left; float32 has the tolerance of the gates for it."""
        precision = self.case.precision
        allowed = (_ROUNDED_WEIGHTS if swaps.precision else _ROUNDING)[precision]
        return measured.relative <= self.case.tolerance or measured.error <= allowed

    def explained(self) -> Swaps | None:
        """The fewest swaps that bring the answers back, of equally many the closest; None where none do."""
        precisions = (False, True) if self._can_lose_precision() else (False,)
        for level in (0, 1, 2):
            for weights in (range(1), None):  # other checkpoints are opened where nothing else explains it
                numbers: Iterable[int] = weights if weights is not None else range(1, len(self.case.others) + 1)
                flags = product((False, True), precisions, (False, True), numbers)
                tried = [Swaps(*one) for one in flags]
                found = [(one, self.measured(one)) for one in tried if one.count == level]
                good = [(one, measured) for one, measured in found if self.close(one, measured)]
                if good:
                    return min(good, key=lambda pair: worst_last(pair[1].error))[0]
        return None

    def faults(self, swaps: Swaps) -> tuple[Fault, ...]:
        """A fault for each swap, in the order of the path, measured one after the other."""
        chain = [
            ("channels", Swaps(swaps.channels)),
            ("weights", Swaps(swaps.channels, weights=swaps.weights)),
            ("precision", Swaps(swaps.channels, swaps.precision, weights=swaps.weights)),
            ("labels", swaps),
        ]
        told, now, before = [], Swaps(), self.measured(Swaps())
        for part, then in chain:
            if then != now:
                after = self.measured(then)
                stage, words = self._words(part, then)
                told.append(fault_of(stage, words, len(self.case.inputs), before, after))
                now, before = then, after
        return tuple(told)

    def _can_lose_precision(self) -> bool:
        return self.case.precision != "fp32" and self.case.back_in_float32 is not None

    def _pair(self, swaps: Swaps) -> tuple[FloatArray, FloatArray]:
        case, key = self.case, (swaps.channels, swaps.precision)
        if key not in self._answers:
            network = case.back_in_float32 if swaps.precision else case.ordered(case.file)
            assert network is not None  # explained() asks first
            self._answers[key] = network(case.turned(case.inputs) if swaps.channels else case.inputs)
        return (case.others[swaps.weights - 1].answers if swaps.weights else case.expected), self._answers[key]

    def _words(self, part: str, now: Swaps) -> tuple[Stage, tuple[str, str]]:
        case, reference = self.case, self.case.reference
        if part == "channels":
            return "color order", ("BGR inside the graph", "RGB")
        if part == "precision":
            return "precision", (case.precision, "float32")
        if part == "weights":
            other = case.others[now.weights - 1]
            return other.stage, other.words
        order = best_order(*self._pair(replace(now, labels=False)))
        assert order is not None  # it was measured
        return "label order", in_words(case.file.labels, reference.labels, order)


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
