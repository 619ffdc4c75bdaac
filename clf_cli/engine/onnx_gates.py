"""Which gates hold for an ONNX file: what was asked for, else those of its precision."""

from clf_cli.settings.onnx_sections import ValidateSection, VariantSection
from clf_cli.values.onnx_gates import DEFAULTS, Gates
from clf_cli.values.precision import OnnxPrecision


def gates_of(asked: ValidateSection, precision: OnnxPrecision) -> Gates:
    """What was asked for wins; the rest is that of the file's precision."""
    usual = DEFAULTS[precision]
    return Gates(
        usual.tolerance if asked.tolerance is None else asked.tolerance,
        usual.min_agreement if asked.min_agreement is None else asked.min_agreement,
        usual.max_accuracy_drop if asked.max_accuracy_drop is None else asked.max_accuracy_drop,
    )


def asked_of(variant: VariantSection) -> ValidateSection:
    """The gates that were asked for a variant, as `clf validate-onnx` takes them."""
    return ValidateSection(min_agreement=variant.min_agreement, max_accuracy_drop=variant.max_accuracy_drop)
