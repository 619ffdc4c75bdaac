"""From a folder of labelled images to an ONNX file that production can trust."""

import os
from typing import TYPE_CHECKING, Any

from clf_cli.errors import ClfError

# ONNX Runtime 1.31 keeps a device id and sends usage data from its import on; only this, set before, stops it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# What the hub's client tells with each download beside its own version: torch's, and which coding agent it runs under.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
__all__ = ["Candidate", "ClfError", "Model", "Prediction", "__version__", "load_model"]

if TYPE_CHECKING:
    from clf_cli.api import Candidate, Model, Prediction, load_model
else:

    def __getattr__(name: str) -> Any:
        """What __all__ promises, imported when it is first asked for: it needs numpy, and `clf --help` does not."""
        if name not in __all__:
            raise AttributeError(f"module 'clf_cli' has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module("clf_cli.api"), name)
