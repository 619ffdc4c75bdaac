"""A float32 file in narrower arithmetic, made in a process of its own.

`python -m clf_cli.engine.onnx_quantize REQUEST.json` is the child: it runs the network on images and converts it.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]  # ships no types

from clf_cli.engine.onnx_child import Limits, child_main, python_module, write_by_child
from clf_cli.engine.onnx_int8 import Range, quantized
from clf_cli.engine.onnx_int8_plan import int8_plan, is_transformer, prepared, products
from clf_cli.engine.onnx_measure import Measured, ends, measure
from clf_cli.values.precision import OnnxPrecision
from clf_cli.values.preprocess import InputArray

CHILD = python_module("clf_cli.engine.onnx_quantize")


@dataclass(frozen=True)
class Rung:
    """A way to int8. Ranges hold `share` of each tensor's values, None all; the first `floats` of the layers stay."""

    name: str
    share: float | None
    floats: float = 0.0


RUNGS = (  # fastest first; docs/variants.md has the measurements
    Rung("ranges at the 99.999th percentile", 0.99999),
    Rung("ranges from the least to the largest value", None),
    Rung("the first third of the layers in float32", 0.99999, 1 / 3),
)


@dataclass(frozen=True)
class Candidate:
    """A file in another arithmetic; `quantizer` tells how it was made. `strict` is a file that rounds where the CPU's
    kernels would not, to be held against float32 too."""

    name: str
    file: str
    quantizer: dict[str, Any]
    strict: str | None = None


def candidates(
    model: Path, precision: OnnxPrecision, inputs: InputArray, limits: Limits, child: Sequence[str] = CHILD
) -> tuple[Candidate, ...]:
    """Writes files beside `model`, best first, from what flows through it for `inputs` (N, 3, H, W).

    Raises ExportError (exit 5), whose message is a clause, RunError (exit 6) where the disk is full.
    """
    asked, told = model.with_suffix(".request.json"), model.with_suffix(".candidates.json")
    images = model.with_suffix(".images.npy")
    np.save(images, inputs)
    request = {"model": str(model), "precision": precision, "images": str(images), "told": str(told)}
    asked.write_text(json.dumps(request), encoding="utf-8")
    write_by_child([*child, str(asked)], told, limits)
    images.unlink()
    return tuple(Candidate(**one) for one in json.loads(told.read_text(encoding="utf-8")))


def main(arguments: Sequence[str]) -> None:
    """The child's work."""
    request = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    path, inputs = Path(request["model"]), np.load(request["images"], mmap_mode="r")
    model = onnx.load(path)
    del model.graph.value_info[:]  # the exporter's may contradict the graph (onnxruntime then refuses it)
    make = _int8 if request["precision"] == "int8" else _fp16
    found = [asdict(one) for one in make(model, path, inputs)]
    Path(request["told"]).write_text(json.dumps(found), encoding="utf-8")


def _int8(model: onnx.ModelProto, path: Path, inputs: InputArray) -> list[Candidate]:
    ready = prepared(model)
    weighted = products(ready.graph)
    if not weighted:
        raise ValueError("it has no convolution and no product with constant weights")
    taken = [str(node.input[0]) for node in weighted]
    found = measure(ready, int8_plan(ready.graph).ranges, taken, inputs)
    means = {name: one.channel_means for name, one in found.items()}
    made: list[Candidate] = []
    for position, rung in enumerate(RUNGS):
        floats = [node.name for node in weighted[: round(rung.floats * len(weighted))]]
        ranges = {name: _range(one, rung.share) for name, one in found.items()}
        file = f"int8-{position}.onnx"
        onnx.save(quantized(ready, ranges, means, floats), path.with_name(file))
        quantizer = {
            "precision": "int8",
            "tool": "clf",
            "format": "QDQ",
            "activations": "uint8",
            "weights": "int8 per channel",
            "calibration": f"{rung.name}, {len(inputs)} train images",
            "operators": sorted({node.op_type for node in weighted}) if is_transformer(ready.graph) else "all",
            "float32_nodes": floats,
        }
        made.append(Candidate(rung.name, file, quantizer))
    return made


def _range(found: Measured, share: float | None) -> Range:
    return (found.low, found.high) if share is None else found.percentile(share)


def _fp16(model: onnx.ModelProto, path: Path, inputs: InputArray) -> list[Candidate]:
    from clf_cli.engine.onnx_fp16 import halved, rounding_each  # its tool puts a folder on sys.path

    found = ends(model, _float_tensors(model), inputs)
    small, fixed = halved(model, {name: max(abs(one.low), abs(one.high)) for name, one in found.items()})
    onnx.save(small, path.with_name("fp16.onnx"))
    onnx.save(rounding_each(small), path.with_name("fp16-strict.onnx"))
    tool = f"onnxruntime.transformers.float16 {ort.__version__}"
    quantizer = {"precision": "fp16", "tool": tool, "float32_nodes": list(fixed)}
    return [Candidate("float16", "fp16.onnx", quantizer, "fp16-strict.onnx")]


def _float_tensors(model: onnx.ModelProto) -> list[str]:
    graph = onnx.shape_inference.infer_shapes(model).graph
    values = (*graph.input, *graph.value_info, *graph.output)
    made = {name for node in graph.node for name in node.output} | {value.name for value in graph.input}
    floats = (value.name for value in values if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT)
    return [name for name in dict.fromkeys(floats) if name in made]


if __name__ == "__main__":
    child_main(lambda: main(sys.argv[1:]))
