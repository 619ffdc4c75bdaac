"""From a folder of labelled images to an ONNX file that production can trust."""

__version__ = "0.1.0"
