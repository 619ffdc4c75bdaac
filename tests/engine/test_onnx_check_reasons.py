"""Where a gate lets answers through, to the image."""

from dataclasses import replace

import pytest

from clf_cli.engine.onnx_check import Evidence, check_onnx
from clf_cli.engine.onnx_check_reasons import decided
from clf_cli.engine.onnx_check_result import Check
from clf_cli.models.onnx import onnx_classifier
from clf_cli.settings.onnx_sections import ValidateSection
from clf_cli.values.onnx_gates import DEFAULTS
from tests.onnx_models import linear, write_onnx_file


@pytest.mark.parametrize(
    ("precision", "images", "flips"), [("int8", 20, 1), ("int8", 40, 2), ("int8", 21, 2), ("fp16", 100, 1)]
)
def test_a_batch_may_have_as_many_flips_as_the_least_agreement_lets_through(tmp_path, precision, images, flips):
    """Of 20 images 0.95 are 19: (1 - 0.95) x 20 is more than 1 in floating point. A part of an image counts whole."""
    onnx = onnx_classifier(write_onnx_file(tmp_path / "model.onnx"), threads=1)
    sound = check_onnx(onnx, Evidence(linear().classifier()), ValidateSection(batch_sizes=(images,)))
    (batch,) = sound.batches

    def passes(count):
        agreement = 1 - count / images
        found = replace(batch, parity=replace(batch.parity, images=images, ties=0, agreement=agreement))
        result = replace(sound, gates=DEFAULTS[precision], batches=(found,))
        return decided(result, [Check("graph"), Check("preprocessing")]).passed

    assert passes(flips)
    assert not passes(flips + 1)
