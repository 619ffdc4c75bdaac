"""Variants of an exported file: half precision, 8-bit integers, probabilities, pixels in; each held against fp32."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from clf_cli.data.dataset import Dataset
from clf_cli.data.samples import Sample
from clf_cli.engine.onnx_child import Limits
from clf_cli.engine.onnx_fallen import Fallen
from clf_cli.engine.onnx_gates import asked_of, gates_of
from clf_cli.engine.onnx_metadata import Made, metadata
from clf_cli.engine.onnx_plan import ExportImages, ExportPlan, inputs_of, spread
from clf_cli.engine.onnx_quantize import Candidate, candidates
from clf_cli.engine.onnx_rescore import Rescored
from clf_cli.engine.onnx_score import value_of
from clf_cli.engine.onnx_variant_cost import Cost, cost_of
from clf_cli.engine.onnx_wrap import with_pixels, with_probabilities
from clf_cli.engine.predict_split import predict_split
from clf_cli.errors import DataError, ExportError, ModelError
from clf_cli.models.onnx import onnx_classifier
from clf_cli.settings.onnx_sections import VariantSection
from clf_cli.values.contract import Contract
from clf_cli.values.onnx_gates import Gates
from clf_cli.values.predictions import Predictions, softmax
from clf_cli.values.preprocess import InputArray
from clf_cli.values.progress import Progress, silent

_EXACT = 1e-5  # largest difference of probabilities behind a wrapping that calculates in float32
_WATCHED = 64  # images on which fp16 looks for values that do not fit
_NOTHING = "Nothing was published."


@dataclass(frozen=True)
class Varied:
    """The variant in the draft's place: its contract, how it was made, what it answered, and what to say."""

    contract: Contract
    made: Made
    rescored: Rescored | None
    cost: Cost | None = None  # of another precision than fp32
    fallen: tuple[Fallen, ...] = ()
    notes: tuple[str, ...] = ()


def suffix_of(variant: VariantSection) -> str:
    """What the name of a variant's file ends in: `-int8-softmax`; empty for the plain float32 file."""
    parts = (
        "" if variant.precision == "fp32" else f"-{variant.precision}",
        "-softmax" if variant.with_softmax else "",
        "-uint8" if variant.with_preprocess else "",
    )
    return "".join(parts)


def require_images(variant: VariantSection, images: ExportImages) -> None:
    """Raises DataError (exit 3) where a precision cannot be held against float32, or not be calibrated."""
    if variant.precision == "fp32":
        return
    needs = "val images, to be held against float32"
    if variant.precision == "int8":
        needs += ", and train images, to learn its ranges"
    if images.dataset is None:
        why = (images.missing or "There are no images.").rstrip(".")
        raise DataError(f"{why}. {variant.precision} needs {needs}.", f"Name them with --data DIR. {_NOTHING}")
    root = images.dataset.root
    if images.split == "train":
        raise DataError(f"{root} has neither val nor test images. {variant.precision} needs {needs}.", _data_hint())
    if variant.precision == "int8" and not images.dataset.split("train"):
        raise DataError(f"{root} has no train images. int8 needs {needs}.", _data_hint())


def vary(
    model: Path,
    contract: Contract,
    made: Made,
    plan: ExportPlan,
    rescored: Rescored | None,
    progress: Progress = silent,
) -> Varied:
    """Replaces the float32 file `model`, whose answers are `rescored`, by the variant that is asked for.

    Raises ExportError (exit 5) when its answers are not within the gates, DataError (exit 3) where images are needed
    and there are none.
    """
    variant = plan.variant
    if not suffix_of(variant):
        return Varied(contract, made, rescored)
    require_images(variant, plan.images)
    maker = _Maker(model, contract, made, plan, rescored, progress)
    if variant.precision == "fp32":
        return maker.wrapped()
    return maker.narrowed()


def calibration_samples(dataset: Dataset, count: int) -> tuple[Sample, ...]:
    """Up to `count` train images, as many of each class as there are, at even distances within each."""
    by_class: dict[str, list[Sample]] = {}
    for sample in dataset.split("train"):
        by_class.setdefault(sample.label, []).append(sample)
    shares = _shares([len(samples) for samples in by_class.values()], count)
    chosen = (spread(samples, share) for samples, share in zip(by_class.values(), shares, strict=True) if share)
    return tuple(sample for samples in chosen for sample in samples)


def _shares(sizes: Sequence[int], count: int) -> list[int]:
    """How many of each class: all alike, but no more than it has."""
    shares = [0] * len(sizes)
    left = min(count, sum(sizes))
    while left:
        for position, size in enumerate(sizes):
            if left and shares[position] < size:
                shares[position] += 1
                left -= 1
    return shares


@dataclass(frozen=True)
class _Maker:
    """What every step of a variant works with."""

    model: Path
    contract: Contract
    made: Made
    plan: ExportPlan
    rescored: Rescored | None
    progress: Progress

    @property
    def variant(self) -> VariantSection:
        return self.plan.variant

    def wrapped(self) -> Varied:
        """float32 still: it must answer as before."""
        contract = self._write(self.model, self.made)
        if self.rescored is None:
            return Varied(contract, self.made, None)
        answers = self._answers(self.model)
        difference = float(np.abs(softmax(answers.logits) - softmax(self.rescored.answers.logits)).max())
        if not difference <= _EXACT:
            raise ExportError(
                f"With {self._wrapping} the probabilities of {self.model.name} differ by {difference:.1e}.", _NOTHING
            )
        return Varied(contract, self.made, replace(self.rescored, answers=answers))

    def narrowed(self) -> Varied:
        """The first candidate whose answers pass the gates."""
        expected = self._expected()
        fallen: list[Fallen] = []
        costs: list[Cost] = []
        for one in self._candidates():
            made = replace(self.made, quantizer=one.quantizer)
            file = self.model.with_name(one.file)
            contract = self._write(file, made)
            try:
                answers = self._answers(file)
                cost = cost_of(self.variant.precision, expected.split, expected.answers, answers)
                strict = cost if one.strict is None else self._strict_cost(one.strict, expected)
            except ExportError as error:
                fallen.append(Fallen(one.name, error.message.rstrip(".")))
                continue
            found = next((each for each in (cost, strict) if each.reasons(self._gates)), None)
            if found is None:
                file.replace(self.model)
                self.model.with_name(f"{self.model.name}.data").unlink(missing_ok=True)  # float32's
                return Varied(contract, made, self._own(expected, answers), cost, tuple(fallen), _notes(cost, one))
            fallen.append(Fallen(one.name, "; ".join(found.reasons(self._gates))))
            costs.append(found)
        raise self._refused(fallen, costs)

    def _candidates(self) -> tuple[Candidate, ...]:
        limits = Limits(self.plan.export.step_seconds, self.plan.export.step_memory)
        try:
            return candidates(self.model, self.variant.precision, self._inputs(), limits)
        except ExportError as error:
            raise ExportError(
                f"{self.contract.arch} cannot be made {self.variant.precision}: {error.message}.",
                f"{_NOTHING} --step-seconds and --step-memory set the limits of each step.",
            ) from error

    def _inputs(self) -> InputArray:
        """To look at what flows through the network: train images for int8, else some that it is held against."""
        images, dataset = self.plan.images, self.plan.images.dataset
        assert dataset is not None  # require_images
        if self.variant.precision == "int8":
            chosen = calibration_samples(dataset, self.variant.calibration_images)
        else:
            chosen = spread(dataset.split(images.split), _WATCHED)
        inputs = inputs_of(dataset, chosen, self.contract.preprocess)
        if inputs is None:
            raise DataError(f"None of {len(chosen)} images of {dataset.root} can be read.", _data_hint())
        return inputs

    def _expected(self) -> Rescored:
        if self.rescored is None:  # the data were there, and an image is not any more
            raise DataError(
                f"Not every image can be read, so {self.variant.precision} cannot be held against float32.",
                _data_hint(),
            )
        return self.rescored

    def _own(self, expected: Rescored, answers: Predictions) -> Rescored:
        """The file's own score in place of float32's."""
        value = value_of(answers, expected.metric)
        own = value if math.isfinite(value) else None
        score = expected.score
        if score is not None and score.rescored:
            score = replace(score, value=own, precision=self.variant.precision)
        return replace(expected, answers=answers, value=own, score=score)

    def _strict_cost(self, name: str, expected: Rescored) -> Cost:
        answers = self._answers(self.model.with_name(name))
        return cost_of(self.variant.precision, expected.split, expected.answers, answers)

    def _answers(self, file: Path) -> Predictions:
        """Raises ExportError (exit 5) where ONNX Runtime does not open or run the file."""
        expected, dataset = self._expected(), self.plan.images.dataset
        assert dataset is not None  # there are answers
        try:
            opened = onnx_classifier(file, self.plan.compute.threads)
            return predict_split(opened, dataset, expected.split, self.plan.images.workers, self.progress)
        except ModelError as error:
            raise ExportError(error.message, _NOTHING) from error

    def _write(self, file: Path, made: Made) -> Contract:
        """Puts what is asked for around the network in `file`, with the contract that tells of it."""
        contract = replace(self.contract, precision=self.variant.precision)
        model = onnx.load(file, load_external_data=False)
        if self.variant.with_softmax:
            model = with_probabilities(model)
            contract = replace(contract, output="probabilities")
        if self.variant.with_preprocess:
            model = with_pixels(model, contract.preprocess)
            contract = replace(contract, preprocess=replace(contract.preprocess, normalized_in_graph=True))
        del model.metadata_props[:]
        onnx.helper.set_model_props(model, metadata(contract, made))
        file.write_bytes(model.SerializeToString())
        return contract

    def _refused(self, fallen: Sequence[Fallen], costs: Sequence[Cost]) -> ExportError:
        precision = self.variant.precision
        if not costs:
            tried = " ".join(one.line for one in fallen)
            return ExportError(f"No {precision} file of {self.contract.arch} can be used. {tried}", _NOTHING)
        best = max(costs, key=lambda cost: (cost.agreement, -cost.drop))
        tried = fallen[0].reason if len(fallen) == 1 else "; ".join(f"{one.rung}: {one.reason}" for one in fallen)
        lost = f" Most is lost of {', '.join(map(str, best.worst))}." if best.worst else ""
        wide = []
        if not best.agreement >= self._gates.min_agreement:
            wide.append(f"--min-agreement {math.floor(best.agreement * 1000) / 1000:g}")
        if not best.drop <= self._gates.max_accuracy_drop:
            wide.append(f"--max-accuracy-drop {math.ceil(best.drop * 1000) / 1000:g}")
        others = "Try --precision fp16, or more --calibration-images." if precision == "int8" else "Ship float32."
        return ExportError(
            f"{precision} answers too much unlike float32 on {best.images} {best.split} images: {tried}.{lost}",
            f"{_NOTHING} {others} To accept it: {' '.join(wide)}.",
        )

    @property
    def _gates(self) -> Gates:
        return gates_of(asked_of(self.variant), self.variant.precision)

    @property
    def _wrapping(self) -> str:
        parts = (("a softmax", self.variant.with_softmax), ("the normalisation", self.variant.with_preprocess))
        return " and ".join(name for name, there in parts if there) + " inside"


def _notes(cost: Cost, candidate: Candidate) -> tuple[str, ...]:
    fixed = len(candidate.quantizer["float32_nodes"])
    left = f" {fixed} of its nodes stay in float32." if fixed else ""
    return (f"{cost.line}{left}",)


def _data_hint() -> str:
    return f"Name other data with --data DIR. {_NOTHING}"
