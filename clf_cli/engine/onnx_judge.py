"""What a draft of an ONNX file must agree with before it may be published."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from clf_cli.engine.onnx_check import BATCH_SIZES, Evidence, check_onnx, noise
from clf_cli.engine.onnx_check_result import OnnxCheckResult
from clf_cli.engine.onnx_plan import ExportImages
from clf_cli.models.classifier import Classifier, Logits
from clf_cli.models.onnx import onnx_classifier
from clf_cli.settings.onnx_sections import ValidateSection
from clf_cli.values.predictions import FloatArray
from clf_cli.values.preprocess import InputArray, Preprocess, as_input_of


@dataclass(frozen=True)
class Judge:
    """torch with the weights that are exported, on real images where there are any, else on noise."""

    reference: Classifier
    images: ExportImages
    threads: int | None = None

    def check(
        self, model: Path, evidence: Evidence | None = None, gates: ValidateSection | None = None
    ) -> OnnxCheckResult:
        """The checks of validate-onnx against torch, and what else is in `evidence`; by default with its gates.

        Raises ModelError (exit 4) for a file that ONNX Runtime does not open, or that does not answer.
        """
        onnx = onnx_classifier(model, self.threads)
        whole = replace(evidence or Evidence(), reference=self._remembering, inputs=self._inputs(onnx), refused=())
        return check_onnx(onnx, whole, gates or ValidateSection())

    def _inputs(self, onnx: Classifier) -> InputArray:
        """(n, ...) as the file takes them. Noise fills up where rounding may not turn a decision."""
        random, pixels = noise(onnx.preprocess, max(BATCH_SIZES)), self._pixels
        if pixels is None:
            return random
        real = as_input_of(pixels, self._as_pixels, onnx.preprocess)
        return real if onnx.precision != "fp32" else np.concatenate([real, random])[: len(random)]

    @cached_property
    def _pixels(self) -> InputArray | None:
        """(n, H, W, 3) uint8 at the network's size; None where there are no images."""
        return self.images.inputs(self._as_pixels, max(BATCH_SIZES))

    @property
    def _as_pixels(self) -> Preprocess:
        return replace(self.reference.preprocess, normalized_in_graph=True)

    @cached_property
    def _remembering(self) -> Classifier:
        """The reference, which answers once for inputs that every draft is asked about."""
        return replace(self.reference, logits=remembering(self.reference.logits))


def remembering(logits: Logits) -> Logits:
    """`logits` that computes an answer for one image once."""
    known: dict[bytes, FloatArray] = {}

    def answer(inputs: InputArray) -> FloatArray:
        if len(inputs) > 1:
            return logits(inputs)
        key = hashlib.sha256(inputs.tobytes()).digest()
        if key not in known:
            known[key] = logits(inputs)
        return known[key]

    return answer
