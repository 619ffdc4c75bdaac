"""Settings of the ONNX file: how it is made, its variants, how it is held against its model and timed."""

from typing import Annotated, ClassVar

from clf_cli.settings.plain import Field
from clf_cli.settings.section import Flag, Section, Share
from clf_cli.values.onnx_gates import DEFAULTS
from clf_cli.values.precision import OnnxPrecision


def _usual(gate: str) -> str:
    """`fp16 0.99, int8 0.95`"""
    return ", ".join(f"{name} {getattr(gates, gate):g}" for name, gates in DEFAULTS.items() if name != "fp32")


class ExportSection(Section):
    title: ClassVar[str] = "ONNX export"

    enabled: Annotated[bool, Flag(("--export/--no-export",))] = Field(
        default=True, description="Export the best weights at the end of training."
    )
    opset: Annotated[int, Field(ge=17)] = Field(
        default=18,
        description="ONNX opset: 17 to the newest that the installed packages write.",
    )
    simplify: bool = Field(
        default=False, description="Run onnxsim, in a child process, and keep its result if it agrees."
    )
    require_rescore: bool = Field(
        default=False, description="Exit 3 where the file cannot be scored on the images of its checkpoint's score."
    )
    step_seconds: Annotated[float, Field(gt=0)] = Field(
        default=600.0, description="Time limit of each exporter and tool that runs in a child process."
    )
    step_memory: Annotated[int, Field(gt=0)] = Field(
        default=16384, description="Memory limit of such a child, in MB of addresses (not on Windows)."
    )


class VariantSection(Section):
    """What `clf export` makes of the float32 file; training exports that one alone."""

    title: ClassVar[str] = "Variant"

    precision: OnnxPrecision = Field(default="fp32", description="Of the arithmetic inside the file.")
    with_softmax: bool = Field(default=False, description="Answer with probabilities instead of logits.")
    with_preprocess: bool = Field(
        default=False, description="Take uint8 pixels (batch, height, width, 3); normalise inside the file."
    )
    calibration_images: Annotated[int, Field(gt=0)] = Field(
        default=256, description="Train images from which int8 learns its ranges."
    )
    min_agreement: Share | None = Field(
        default=None,
        description=f"Least share of answers equal to fp32's, ties aside. Default: {_usual('min_agreement')}.",
    )
    max_accuracy_drop: Share | None = Field(
        default=None, description=f"Largest loss of accuracy against fp32. Default: {_usual('max_accuracy_drop')}."
    )


class ValidateSection(Section):
    title: ClassVar[str] = "Gates"

    tolerance: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="Largest logit difference, relative to max(1, max|logit|). Default: 1e-4; fp16, int8 none.",
    )
    min_agreement: Share | None = Field(
        default=None,
        description=f"Least share of equal predictions, ties aside. Default: 1; {_usual('min_agreement')}.",
    )
    max_accuracy_drop: Share | None = Field(
        default=None,
        description=f"Largest loss of accuracy, ties aside. Default: 0; {_usual('max_accuracy_drop')}.",
    )
    batch_sizes: Annotated[tuple[Annotated[int, Field(gt=0, le=1024)], ...], Field(min_length=1)] = Field(
        default=(1, 2, 3, 7, 32), description="Batch sizes that the file must answer alike for."
    )
    provider: str = Field(
        default="cpu",
        description="ONNX Runtime's execution provider, which must run the nodes: cpu, cuda, openvino, ...",
    )


class BenchmarkSection(Section):
    title: ClassVar[str] = "Measurement"

    batch_sizes: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(min_length=1)] = Field(
        default=(1, 8, 32), description="Images per call."
    )
    threads: Annotated[tuple[Annotated[int, Field(gt=0, le=1024)], ...], Field(min_length=1)] = Field(
        default=(1,), description="Math threads."
    )
    seconds: Annotated[float, Field(gt=0)] = Field(default=2.0, description="Least time measured per case.")
