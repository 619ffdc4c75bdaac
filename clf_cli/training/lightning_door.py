"""Lightning, imported as where SciPy and Matplotlib are not installed: import this before anything that imports it.

Lightning imports torchmetrics, which imports both wherever they are, the one to patch it for others: 1.2 of the 1.5 CPU
seconds of `import lightning.pytorch` after torch and timm (torchmetrics 1.9, SciPy 1.17, Matplotlib 3.11). torchmetrics
then does without its plots and metrics of sound in this process; what imports the two itself finds them.
"""

import sys
from importlib.metadata import Distribution, PackageNotFoundError

_SPARED = [name for name in ("scipy", "matplotlib") if name not in sys.modules]
_found = Distribution.from_name


def _from_name(name: str) -> Distribution:
    if name in _SPARED:
        raise PackageNotFoundError(name)
    return _found(name)


for _name in _SPARED:
    sys.modules[_name] = None  # type: ignore[assignment]  # "not there"
Distribution.from_name = _from_name  # type: ignore[method-assign, assignment]  # for the time of this import
try:
    import lightning.pytorch as L
finally:
    Distribution.from_name = _found  # type: ignore[method-assign]
    for _name in _SPARED:
        del sys.modules[_name]

__all__ = ["L"]
