"""Kinds of arithmetic inside an ONNX file."""

from typing import Literal

OnnxPrecision = Literal["fp32", "fp16", "int8"]
