"""Which ONNX opsets the installed packages can write and open."""

from functools import cache
from typing import TYPE_CHECKING

from clf_cli.errors import UsageError

if TYPE_CHECKING:  # 30 MB, which a run that asks for a usual opset does without until its export
    import onnx

OLDEST = 17  # by the tracer alone
NEWEST_TRACED = 23  # of torch 2.15
WRITTEN = 18  # what torch's exporter is written in: higher ones are converted from it
_FATAL = 4  # ONNX Runtime's log severity


def require_opset(opset: int) -> None:
    """Raises UsageError (exit 2) for an opset that no exporter here writes, or that ONNX Runtime does not open."""
    if opset < OLDEST or (opset > WRITTEN and opset > newest_opset()):
        import onnx
        import onnxruntime as ort  # type: ignore[import-untyped]  # ships no types

        raise UsageError(
            f"Opset {opset} cannot be written here: the installed torch, onnx {onnx.__version__} and ONNX Runtime "
            f"{ort.__version__} go from {OLDEST} to {newest_opset()}.",
            f"Take {WRITTEN}, which most runtimes read, or a newer one up to {newest_opset()}.",
        )


@cache
def newest_opset() -> int:
    """The newest that onnx knows, torch's exporter converts to and ONNX Runtime opens; tried, for none of them tells.

    Above the range of its own converter the exporter asks the one of onnx, which at 26 leaves opset 18 with operators
    of 20 behind (torch 2.15, onnx 1.23.2, test_vit).
    """
    import onnx

    opsets = range(onnx.defs.onnx_opset_version(), WRITTEN, -1)
    return next((opset for opset in opsets if _opens(opset) and _converts(opset)), WRITTEN)


def _identity(opset: int) -> "onnx.ModelProto":
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "identity", ends[:1], ends[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def _opens(opset: int) -> bool:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = _FATAL
    try:
        ort.InferenceSession(_identity(opset).SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception:  # noqa: BLE001  # ONNX Runtime's exceptions have no base of their own
        return False
    return True


def _converts(opset: int) -> bool:
    from onnxscript import ir, version_converter  # a second

    try:
        version_converter.convert_version(ir.from_proto(_identity(WRITTEN)), opset)
    except Exception:  # noqa: BLE001  # it raises an error of its own, and others from its passes
        return False
    return True
