"""Lightning, imported as where SciPy is not installed: import this before anything that imports it.

Lightning imports torchmetrics, which imports `scipy.signal` wherever it is, to patch it for others: 0.5 to 0.9 CPU
seconds (torchmetrics 1.9, SciPy 1.17). torchmetrics then does without its metrics of sound in this process; what
imports SciPy itself finds it. Matplotlib, its other import, is needed for the pictures anyway.
"""

import sys
from importlib.metadata import Distribution, PackageNotFoundError

_SPARED = [name for name in ("scipy",) if name not in sys.modules]
_found = Distribution.from_name


def _from_name(name: str) -> Distribution:
    if name in _SPARED:
        raise PackageNotFoundError(name)
    return _found(name)


for _name in _SPARED:
    sys.modules[_name] = None  # type: ignore[assignment]  # "not there"
Distribution.from_name = _from_name  # type: ignore[method-assign]  # for the time of this import
try:
    import lightning.pytorch as L
finally:
    Distribution.from_name = _found  # type: ignore[method-assign]
    for _name in _SPARED:
        del sys.modules[_name]

__all__ = ["L"]
