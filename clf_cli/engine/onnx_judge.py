"""What a draft of an ONNX file must agree with before it may be published."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clf_cli.engine.onnx_check import BATCH_SIZES, Evidence, check_onnx, noise
from clf_cli.engine.onnx_check_result import OnnxCheckResult
from clf_cli.engine.onnx_golden import Golden
from clf_cli.models.classifier import Classifier
from clf_cli.models.onnx import onnx_classifier
from clf_cli.settings.onnx_sections import ValidateSection
from clf_cli.values.preprocess import InputArray


@dataclass(frozen=True)
class Judge:
    """torch with the weights that are exported, on real inputs where there are any, else on noise."""

    reference: Classifier
    inputs: InputArray | None = None  # (n, 3, H, W) of real images
    threads: int | None = None

    def check(self, model: Path, golden: Golden | None = None) -> OnnxCheckResult:
        """The default gates of validate-onnx."""
        inputs = noise(self.reference.preprocess, max(BATCH_SIZES))
        if self.inputs is not None:
            inputs = np.concatenate([self.inputs, inputs])[: len(inputs)]
        evidence = Evidence(self.reference, golden, inputs=inputs)
        return check_onnx(onnx_classifier(model, self.threads), evidence, ValidateSection())
