"""timm, imported without wandb and without torch's compiler.

timm imports wandb wherever it is installed, for training scripts of its own: a third of the CPU time of `import timm`
(timm 1.0.31, wandb 0.29). torchvision, which timm imports, asks the compiler for a function that a detector calls.
"""

import sys

from clf_cli.models.late import COMPILER, imported_with

_FREE = "wandb" not in sys.modules
if _FREE:
    sys.modules["wandb"] = None  # type: ignore[assignment]  # "not there", which timm expects
try:
    with imported_with(COMPILER, "timm"):
        import timm
        from timm.layers.config import set_fused_attn, use_fused_attn
        from timm.models import PretrainedCfg, adapt_input_conv, get_pretrained_cfg
finally:
    if _FREE:
        del sys.modules["wandb"]

__all__ = ["PretrainedCfg", "adapt_input_conv", "get_pretrained_cfg", "set_fused_attn", "timm", "use_fused_attn"]
