"""The metadata of an ONNX file: its contract, and under EXPORT_KEY how it was made."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import onnx

from clf_cli.errors import ModelError
from clf_cli.models.malloc import give_back_freed_memory
from clf_cli.reading import parse_json
from clf_cli.values.contract import CONTRACT_KEY, Contract
from clf_cli.values.typed import typed

EXPORT_KEY = "clf.export"
Exporter = Literal["torchscript", "torch.export", "torch.export unoptimised", "torchscript unoptimised"]


@dataclass(frozen=True)
class Made:
    """Which tools made a file; a consumer needs none of it, a search for a fault does."""

    exporter: Exporter
    opset: int
    simplifier: str | None = None  # `onnxsim 0.8.1`
    quantizer: dict[str, Any] | None = None  # what fp16 or int8 was made with

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def made_of(model: onnx.ModelProto) -> Made | None:
    """None for a file that does not say."""
    text = next((entry.value for entry in model.metadata_props if entry.key == EXPORT_KEY), None)
    try:
        return None if text is None else typed(Made(**parse_json(text)))
    except (TypeError, ValueError):
        return None


def metadata(contract: Contract, made: Made) -> dict[str, str]:
    """All metadata_props of a file of ours."""
    return {**contract.metadata(), EXPORT_KEY: json.dumps(made.to_json())}


def write_contract(source: Path, target: Path, contract: Contract) -> None:
    """Writes `source` to `target` with another contract and, for weights outside the file, the name of their copy.

    The graph and all other metadata stay, those of a later version too. `target` may be `source`. Raises ModelError
    (exit 4) for a file whose weights lie in several others.
    """
    model = onnx.load(source, load_external_data=False)
    for entry in model.metadata_props:
        if entry.key == CONTRACT_KEY:
            whole = {**json.loads(entry.value), **contract.to_json()}
            entry.value = json.dumps(whole, ensure_ascii=False, allow_nan=False)
    places = [entry for tensor in model.graph.initializer for entry in tensor.external_data if entry.key == "location"]
    outside = sorted({entry.value for entry in places})
    if len(outside) > 1:
        raise ModelError(f"{source} keeps its weights in {len(outside)} files; clf writes one.", "Export it again.")
    for name in outside:
        copy = target.with_name(f"{target.name}.data")
        if copy != source.parent / name:
            shutil.copyfile(source.parent / name, copy)
    for entry in places:
        entry.value = f"{target.name}.data"
    target.write_bytes(model.SerializeToString())
    del model
    give_back_freed_memory()  # three times the file
