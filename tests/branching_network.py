"""A network of timm's that torch.export refuses, for it looks at its values; importing this makes timm know it.

`python -P -m tests.branching_network REQUEST.json` is the child of a rung that knows it too.
"""

import sys
from typing import Any

from timm.models import build_model_with_cfg, register_model
from torch import Tensor, nn

from clf_cli.engine.onnx_child import child_main
from clf_cli.engine.onnx_rung import main

ARCH = "branching"
default_cfgs = {ARCH: {"input_size": (3, 32, 32), "num_classes": 5, "pool_size": None, "classifier": "head"}}
__all__ = ["branching"]


class Branching(nn.Module):
    """Channel means of a convolution through a linear layer; their largest values where an image holds a NaN."""

    def __init__(self, num_classes: int = 5, in_chans: int = 3, **_: Any) -> None:
        super().__init__()
        self.body = nn.Conv2d(in_chans, 8, 3)
        self.head = nn.Linear(8, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        found = self.body(images)
        if images.isnan().any():
            return self.head(found.amax(dim=(2, 3)))
        return self.head(found.mean(dim=(2, 3)))


@register_model
def branching(pretrained: bool = False, **keywords: Any) -> nn.Module:
    return build_model_with_cfg(Branching, ARCH, pretrained, **keywords)


if __name__ == "__main__":
    child_main(lambda: main(sys.argv[1:]))
