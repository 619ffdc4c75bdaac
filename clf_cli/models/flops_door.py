"""torch's counter of operations, imported without Triton, of which it asks whether a kernel is one of its own."""

from clf_cli.models.late import COMPILER, standing_in

with standing_in(COMPILER):
    from torch.utils.flop_counter import FlopCounterMode

__all__ = ["FlopCounterMode"]
