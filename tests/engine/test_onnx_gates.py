"""Which gates hold for a file."""

from clf_cli.engine.onnx_gates import asked_of, gates_of
from clf_cli.settings.onnx_sections import ValidateSection, VariantSection
from clf_cli.values.onnx_gates import DEFAULTS, Gates


def test_the_precision_decides_what_nobody_asked_for():
    assert gates_of(ValidateSection(), "fp32") == Gates(1e-4, 1.0, 0.0)
    assert gates_of(ValidateSection(), "fp16") == Gates(None, 0.99, 0.005)
    assert gates_of(ValidateSection(), "int8") == Gates(None, 0.95, 0.01)


def test_what_was_asked_for_wins_in_every_precision():
    asked = ValidateSection(tolerance=0.5, min_agreement=0.0, max_accuracy_drop=0.0)
    for precision in DEFAULTS:
        assert gates_of(asked, precision) == Gates(0.5, 0.0, 0.0)
        assert gates_of(ValidateSection(min_agreement=0.5), precision).tolerance == DEFAULTS[precision].tolerance


def test_a_variant_is_checked_by_the_gates_that_validate_onnx_has():
    for precision in ("fp16", "int8"):
        assert gates_of(asked_of(VariantSection(precision=precision)), precision) == DEFAULTS[precision]
    asked = VariantSection(precision="int8", min_agreement=0.5, max_accuracy_drop=0.25)
    assert gates_of(asked_of(asked), "int8") == Gates(None, 0.5, 0.25)
