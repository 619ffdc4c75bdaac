"""Weights as safetensors for exchange: tensors under the network's own names, the contract in the file's metadata.

Nothing in such a file can run, whoever reads it with whatever library.
"""

from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch

from clf_cli import __version__
from clf_cli.errors import ModelError, first_line
from clf_cli.files import write_atomic
from clf_cli.models.checkpoint import Checkpoint
from clf_cli.models.torch_files import load_safetensors
from clf_cli.reading import parse_json
from clf_cli.values.contract import CONTRACT_KEY, Contract

SUFFIX = ".safetensors"
EPOCH_KEY = "clf.epoch"


def write_exchange(checkpoint: Checkpoint, path: Path, ema: bool | None = None) -> None:
    """The weights that scored, or those that `ema` asks for, with labels and preprocessing; no optimiser, no settings.

    Raises ModelError (exit 4) where there are no such weights, RunError (exit 6) when the file cannot be written.
    """
    state, weights = checkpoint.weights(ema)
    contract = Contract(
        labels=checkpoint.labels,
        preprocess=checkpoint.preprocess,
        arch=checkpoint.arch,
        weights=weights,
        score=checkpoint.score_of(weights),
        run_id=checkpoint.run_id,
        data_fingerprint=checkpoint.data_fingerprint,
        clf=__version__,
    )
    tensors = {name: tensor.contiguous().clone() for name, tensor in state.items()}  # it takes no shared memory
    metadata = {"format": "pt", EPOCH_KEY: str(checkpoint.epoch), **contract.metadata()}
    content = safetensors.torch.save(tensors, metadata)
    write_atomic(path, lambda file: file.write(content))


def read_exchange(path: Path) -> Checkpoint:
    """Raises ModelError (exit 4) for a file that is cut short or was not written by `clf export`."""
    state = load_safetensors(path)
    metadata = _metadata(path)
    if CONTRACT_KEY not in metadata:
        raise ModelError(
            f"{path} is not a checkpoint of clf, but a safetensors file without {CONTRACT_KEY}.",
            "Weights of other programs start a new run: clf train --weights FILE --arch NAME.",
        )
    try:
        contract = Contract.from_json(parse_json(metadata[CONTRACT_KEY]))
        epoch = int(metadata.get(EPOCH_KEY, "0")[:9])
    except (KeyError, ValueError) as error:
        raise ModelError(f"{path}: its {CONTRACT_KEY} cannot be read: {first_line(error)}.") from error
    return Checkpoint(
        arch=contract.arch,
        labels=contract.labels,
        preprocess=contract.preprocess,
        settings={},
        score=contract.score,
        scored_weights=contract.weights,
        epoch=epoch,
        run_id=contract.run_id,
        data_fingerprint=contract.data_fingerprint,
        path=path,
        step=0,
        state_dict=state,
        live_state=None,
        resumable=False,
    )


def _metadata(path: Path) -> dict[str, str]:
    with safetensors.safe_open(path, framework="pt") as file:
        found: dict[str, Any] = file.metadata() or {}
    return {key: value for key, value in found.items() if isinstance(value, str)}
