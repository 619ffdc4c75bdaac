"""Lightning and torchmetrics, imported without torch's compiler, matplotlib and SciPy's signal processing.

Lightning asks whether it was given a compiled module; torchmetrics imports the others for its own plots and for an
audio metric that wants an old name back: 1.1 CPU seconds and 90 MB (torchmetrics 1.9).
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from clf_cli.models.late import COMPILER, imported_with, late_class


@contextlib.contextmanager
def _style(*arguments: Any, **named: Any) -> Iterator[None]:
    import matplotlib.pyplot as plt

    with plt.style.context(*arguments, **named):
        yield


class _Style:
    context = staticmethod(_style)


_PLOTS = {
    "matplotlib": {},
    "matplotlib.axes": {"Axes": late_class("matplotlib.axes", "Axes")},
    "matplotlib.colors": {"Colormap": late_class("matplotlib.colors", "Colormap")},
    "matplotlib.pyplot": {"Figure": late_class("matplotlib.figure", "Figure"), "style": _Style},
}
_SIGNALS = {"scipy.signal": {"hamming": None}}

with imported_with(COMPILER | _PLOTS | _SIGNALS, "lightning.pytorch"):
    import lightning.pytorch as L
    from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
    from lightning.pytorch.callbacks import Checkpoint, EarlyStopping
    from lightning.pytorch.profilers import PassThroughProfiler, Profiler
    from torchmetrics import Metric

__all__ = ["Checkpoint", "EarlyStopping", "L", "Metric", "PassThroughProfiler", "Profiler", "TorchCheckpointIO"]
