"""Forward passes whose numbers count: fp32 whatever precision trains, the same in training and in every command."""

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import nn

from clf_cli.values.predictions import FloatArray
from clf_cli.values.preprocess import InputArray


@contextlib.contextmanager
def exact_fp32() -> Iterator[None]:
    """Inside: no gradients, no autocast, no TF32, and cuDNN's deterministic algorithms; all as before afterwards."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(torch.inference_mode())
            stack.enter_context(
                torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
            )
            for kind in ("cpu", "cuda", "mps"):
                stack.enter_context(torch.autocast(kind, enabled=False))
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def laid_out(network: nn.Module, layout: torch.memory_format) -> nn.Module:
    """`network` with its images' weights (of four dimensions) in `layout`, in place.

    Module.to tries weights of five dimensions too and fails: lambda_resnet26t has them.
    """
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.dim() == 4:
            tensor.data = tensor.data.contiguous(memory_format=layout)
    return network


def network_logits(
    network: nn.Module, device: str = "cpu", channels_last: bool = True
) -> Callable[[InputArray], FloatArray]:
    """A function from float32 (N, 3, H, W) to float32 (N, C). Moves the network there in eval mode, for good."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    laid_out(network.to(device), layout).eval()

    def logits(images: InputArray) -> FloatArray:
        with exact_fp32():
            batch = torch.from_numpy(images).to(device).contiguous(memory_format=layout)
            answer: FloatArray = network(batch).float().cpu().numpy()
        return answer

    return logits
