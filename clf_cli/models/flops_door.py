"""torch's counter of operations, imported without Triton, of which it asks whether a kernel is one of its own, and used
without torch's compiler, which it would import to tell it that it is not to look."""

import inspect
from typing import Any, Self

from clf_cli.models.late import COMPILER, imported_with

with imported_with(COMPILER, "torch.utils.flop_counter"):
    from torch.utils.flop_counter import FlopCounterMode


class FlopCounter(FlopCounterMode):
    """As torch's."""

    def __enter__(self) -> Self:
        super().__enter__()  # type: ignore[no-untyped-call]  # torch's own
        kind: Any = type(self.mode)
        plain = inspect.unwrap(kind.__torch_dispatch__)
        self.mode.__class__ = type(kind.__name__, (kind,), {"__torch_dispatch__": plain, "_should_skip_dynamo": _never})
        return self


def _never() -> bool:
    """Else torch wraps what was just unwrapped."""
    return False
