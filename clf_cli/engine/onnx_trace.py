"""A network's trace as an ONNX file: what torch's older exporter writes, where only the size of the batch varies."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.jit._trace import TracerWarning
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from clf_cli.engine.onnx_graph import BATCH_AXIS
from clf_cli.errors import ExportError
from clf_cli.values.contract import Contract

HALVINGS = 6  # of the sides, as networks do: sizes that the batch must not divide
BATCHES = (11, 13, 17, 19, 23)  # images that are traced at once; smaller numbers are sizes of windows and patches
BATCHES_OF_LARGE = (5, 7, *BATCHES)  # of which fewer fit into memory
LARGE = 320 * 320  # pixels
_ASK_SIZES = (torch.Tensor.size, torch.Tensor.numel, vars(torch._C.TensorBase)["shape"].__get__)


def trace(network: nn.Module, contract: Contract, opset: int, path: Path, batch: int = 2) -> None:
    """Writes what `network` (in eval mode) does with `batch` images, and lets the size of the batch vary. What the
    network decides on values or on a size is as it was for these images. Beyond protobuf's 2 GB each tensor is a file.
    """
    size = contract.preprocess
    names = (contract.input_name, contract.answers)
    with _images_alone(network):
        torch.onnx.export(
            network,
            (torch.zeros(batch, 3, size.height, size.width),),
            path,
            dynamo=False,
            opset_version=opset,
            input_names=names[:1],
            output_names=names[1:],
            dynamic_axes={name: {0: BATCH_AXIS} for name in names},
        )


def traced(network: nn.Module, contract: Contract, opset: int, path: Path) -> Any:
    """The same as a model of onnxscript's, its constants folded: sizes that the batch has no part in are constants, as
    in what torch.export writes, whose imports alone take ten times as long.

    Leaves a file at `path`, of which the model may read its weights. Raises ExportError (exit 5), whose message is a
    clause, for a network that decides on values, or on the size of the batch.
    """
    from onnxscript import ir, optimizer  # 0.4 s

    batch = odd_batch(network, contract.preprocess.height, contract.preprocess.width)
    with _decisions() as decisions, _FixedSizes(batch):
        trace(network, contract, opset, path, batch)
    if decisions:
        raise ExportError("the network decides on its values, which a trace overlooks")
    model = ir.load(path)
    optimizer.optimize_ir(model, should_fold=_pads)
    _name_shortly(model)
    return model


def _name_shortly(model: Any) -> None:
    """The tracer's names are paths of modules: of an int8 network of 140 kB they would be 40."""
    ends = {value.name for value in model.graph.outputs}
    for number, node in enumerate(model.graph.all_nodes()):
        node.name = f"{node.op_type}_{number}"
        for place, value in enumerate(node.outputs):
            if value.name and value.name not in ends:
                value.name = f"/{node.name}" + (f"_{place}" if place else "")  # no weight's name begins so


def _pads(node: Any) -> bool | None:
    """The zeros that a padding is computed from, which onnxscript would leave to the runtime; None has it decide."""
    return node.op_type == "ConstantOfShape" or None


@contextmanager
def _images_alone(network: nn.Module) -> Iterator[None]:
    """A forward pass without options: torch's exporter (2.15) makes tensors of their defaults."""
    forward = network.forward

    def one_argument(images: torch.Tensor) -> Any:
        return forward(images)

    network.forward = one_argument
    try:
        yield
    finally:
        del network.forward


def odd_batch(network: nn.Module, height: int, width: int) -> int:
    """A small prime that tells sizes which come from the batch from those of the image and of the weights."""
    sizes = {-(-side // 2**halving) for side in (height, width) for halving in range(HALVINGS)}
    sizes |= {size for weights in network.parameters() for size in weights.shape}
    primes = BATCHES_OF_LARGE if height * width > LARGE else BATCHES
    return next((prime for prime in primes if all(size % prime for size in sizes)), primes[-1])


class _FixedSizes(TorchFunctionMode):
    """Sizes are numbers, except an activation's that are multiples of the batch: what is computed from those stays in
    the graph."""

    def __init__(self, batch: int) -> None:
        super().__init__()
        self.batch = batch

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if func not in _ASK_SIZES:
            return found
        sizes = found if isinstance(found, tuple) else (found,)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TracerWarning)  # that a size becomes a number: it is meant
            numbers = [int(size) for size in sizes]
        varies = 0 if isinstance(args[0], nn.Parameter) else self.batch
        fixed = tuple(size if varies and not n % varies else n for n, size in zip(numbers, sizes, strict=True))
        return fixed if isinstance(found, tuple) else fixed[0]


@contextmanager
def _decisions() -> Iterator[list[str]]:
    """What the tracer says that it overlooks in this block, but for the checks that torch's own functions make of the
    batch: F.group_norm and F.instance_norm want more than one value."""
    found: list[str] = []
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", TracerWarning)
        yield found
    mine = (one for one in told if issubclass(one.category, TracerWarning))
    found += [str(one.message) for one in mine if Path(one.filename) != Path(functional.__file__)]
