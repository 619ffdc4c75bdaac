"""ONNX files of other tools, which have no contract: one is made from files that a person names, and the graph."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from clf_cli import __version__
from clf_cli.errors import ModelError, UsageError, first_line
from clf_cli.reading import parse_json, read_text
from clf_cli.values.contract import CONTRACT_KEY, Contract, GivenContract
from clf_cli.values.contract_check import PREPROCESS, SIZE, check_names, check_scaled, check_values
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import FloatArray, Output
from clf_cli.values.preprocess import BACKGROUND, InputArray, Preprocess

_MOST = 1 << 24  # bytes of a file of names or stages; 100,000 classes take a tenth
NAMES_KEY = "names"  # class names in the metadata of Ultralytics' files, and of ours
_RULES = {**SIZE, **PREPROCESS}
_NEEDED = tuple(key for key in _RULES if key != "background")
_IMAGES = "float32 [N, 3, H, W] or uint8 [N, H, W, 3]"
_KINDS = {"tensor(float)": "float32", "tensor(uint8)": "uint8"}
Run = Callable[[Contract], Callable[[InputArray], FloatArray]]  # the opened file as a function


@dataclass(frozen=True)
class Given:
    """Files that say what a contract would: class names in the order of the output, and the evaluation transform."""

    labels: Path | None = None
    preprocess: Path | None = None

    def __bool__(self) -> bool:
        return self.labels is not None or self.preprocess is not None


NOTHING = Given()


def given_contract(path: Path, session: Any, given: Given, run: Run) -> GivenContract:
    """The contract that stands in for the one that the opened file at `path` lacks.

    Class names may also come from the metadata key `names`. Raises ModelError (exit 4) where labels or preprocessing
    are unknown or the graph is no image classifier, UsageError (exit 2) for a file of `given` that cannot be used.
    """
    metadata = session.get_modelmeta().custom_metadata_map
    names = None if given.labels is None else read_names(given.labels)
    source = str(given.labels)
    if names is None and NAMES_KEY in metadata:
        names, source = _names_of_metadata(metadata[NAMES_KEY]), f"its metadata key {NAMES_KEY}"
    if names is None or given.preprocess is None:
        raise unknown(path, names is None, given.preprocess is None)
    preprocess = read_preprocess(given.preprocess)
    contract = _of_graph(path, session, preprocess, given.preprocess)
    output, classes = _answers(path, session.get_inputs()[0].shape[0], contract, run(contract))
    if len(names) != classes:
        raise ModelError(
            f"{source} has {len(names):,} class names, {path} answers with {classes:,} numbers.",
            "One name for each output, in its order.",
        )
    contract = replace(contract, labels=Labels(tuple(names)), output=output)
    note = f"made by another tool: labels from {source}, preprocessing from {given.preprocess}"
    return GivenContract(contract, note + ("; its answers are probabilities" if output == "probabilities" else ""))


def unknown(path: Path, labels: bool, preprocess: bool) -> ModelError:
    """Says what is missing, and how it is told."""
    missing = [("labels", "--labels FILE")] * labels + [("preprocessing", "--preprocess FILE")] * preprocess
    what, flags = " and ".join(name for name, _ in missing), " ".join(flag for _, flag in missing)
    return ModelError(
        f"{path} was not exported by clf: its metadata hold no {CONTRACT_KEY}, so its {what} "
        f"{'are' if labels else 'is'} unknown.",
        f"Tell them with {flags} (validate-onnx, evaluate, predict, confusion), or `clf export` the checkpoint.",
    )


# Files that a person names


def read_names(path: Path) -> list[str]:
    """Class names of a text file, one a line, or of JSON: a list, labels_mapping.json, an object with the indices.

    Raises UsageError (exit 2).
    """
    text = _text(path, "--labels")
    if path.suffix.lower() == ".json":
        try:
            names = _names(parse_json(text))
        except ValueError as error:
            raise UsageError(f"{path} is no JSON: {first_line(error)}.") from error
        if names is None:
            raise UsageError(
                f"{path} holds no class names.", 'Expected a list, {"0": "cat", ...} or a labels_mapping.json.'
            )
    else:
        names = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []
    try:
        check_names(names)
    except ValueError as error:
        raise UsageError(f"{path}: {error}.", "One name for each output, in its order.") from error
    return names


def _names(data: Any) -> list[str] | None:
    """None for a value that holds none, or not one for each index from 0."""
    if isinstance(data, dict):
        for key in ("idx_to_class", "class_to_idx", "labels"):
            if isinstance(data.get(key), list | dict):
                return _names(data[key])
        pairs = [(index, name) if isinstance(name, str) else (name, index) for index, name in data.items()]
        found = {str(index): name for index, name in pairs}
        data = [found.get(str(index)) for index in range(len(data))]
    whole = isinstance(data, list) and data and all(isinstance(name, str) for name in data)
    return list(data) if whole else None


def _names_of_metadata(text: str) -> list[str] | None:
    """JSON as clf writes it, or a Python dictionary as Ultralytics does."""
    import ast

    for parse in (parse_json, ast.literal_eval):
        try:
            if len(text) > _MOST:
                raise ValueError("too long")
            names = _names(parse(text))
            check_names(names or ())
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        return names
    return None


def read_preprocess(path: Path) -> Preprocess:
    """The evaluation transform in a TOML or JSON file, or in a labels_mapping.json. Raises UsageError (exit 2)."""
    import tomllib

    text = _text(path, "--preprocess")
    try:
        data = parse_json(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        kind = "JSON" if path.suffix.lower() == ".json" else "TOML"
        raise UsageError(f"{path} is no {kind}: {first_line(error)}.", f"It needs {', '.join(_NEEDED)}.") from error
    if not isinstance(data, dict):
        raise UsageError(f"{path} holds no keys.", f"It needs {', '.join(_NEEDED)}.")
    if "contract" in data:
        try:
            return Contract.from_json(data["contract"]).preprocess
        except (KeyError, ValueError) as error:
            raise UsageError(f"{path}: its contract cannot be read: {error}.") from error
    if isinstance(data.get("preprocess"), dict):
        data = data["preprocess"]
    _check_keys(path, data)
    return Preprocess.from_json({"background": list(BACKGROUND), **data})


def _check_keys(path: Path, data: Mapping[str, Any]) -> None:
    needed = (*_NEEDED, "background") if data.get("resize_mode") == "letterbox" else _NEEDED
    for key in data:
        if key not in _RULES:
            from difflib import get_close_matches

            near = get_close_matches(key, _RULES, n=1, cutoff=0.5)
            raise UsageError(
                f"{path} has the key {key!r}, which clf does not know.",
                f"Did you mean {near[0]}?" if near else f"Known: {', '.join(_RULES)}.",
            )
    missing = [key for key in needed if key not in data]
    if missing:
        raise UsageError(
            f"{path} lacks {', '.join(missing)}.",
            "Every stage must be told: a file that guesses one answers for other pixels than it was trained on.",
        )
    try:
        check_values(data, _RULES)
        check_scaled(data, data)
    except ValueError as error:
        raise UsageError(f"{path}: {error}.") from error


def _text(path: Path, flag: str) -> str:
    try:
        return read_text(path, _MOST)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise UsageError(f"{flag} {path} cannot be read: {reason}.") from error


# The graph


def _of_graph(path: Path, session: Any, preprocess: Preprocess, source: Path) -> Contract:
    """Its names and the kind of its input; labels and the kind of output follow from an answer."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    for what, nodes in (("input", inputs), ("output", outputs)):
        if len(nodes) != 1:
            names = ", ".join(node.name for node in nodes) or "none"
            raise ModelError(
                f"{path} has {len(nodes)} {what}s ({names}), an image classifier has one.",
                f"Export the {what} that counts alone.",
            )
    (node,) = inputs
    kind, shape = _KINDS.get(node.type), list(node.shape or ())
    channels = {"float32": 1, "uint8": 3}.get(kind or "")
    if channels is None or len(shape) != 4 or shape[channels] != 3:
        raise ModelError(
            f"{path} takes no images: its input {node.name} is {node.type} {_shown(shape)}, clf gives {_IMAGES}.",
            "Export it with one of these inputs.",
        )
    sides = shape[2:] if channels == 1 else shape[1:3]
    told = (preprocess.height, preprocess.width)
    if any(isinstance(side, int) and side != other for side, other in zip(sides, told, strict=True)):
        raise ModelError(
            f"{source} says height {told[0]} and width {told[1]}, {path} takes {node.name} {_shown(shape)}.",
            f"Write the graph's own size into {source}.",
        )
    return Contract(
        labels=Labels(()),
        preprocess=replace(preprocess, normalized_in_graph=channels == 3),
        arch="unknown",
        weights="live",
        score=None,
        run_id=None,
        data_fingerprint=None,
        clf=__version__,
        input_name=node.name,
        output_name=outputs[0].name,
    )


def _answers(
    path: Path, batch: Any, contract: Contract, logits: Callable[[InputArray], FloatArray]
) -> tuple[Output, int]:
    """What it answers with, and for how many classes, from an answer: probabilities sum to 1."""
    rng = np.random.default_rng(0)
    shape = (batch if isinstance(batch, int) and batch > 0 else 2, *contract.preprocess.input_shape)
    pixels = rng.integers(0, 256, shape, dtype=np.uint8)
    images = pixels if contract.preprocess.normalized_in_graph else rng.standard_normal(shape, dtype=np.float32)
    answer = logits(images)
    if answer.ndim != 2 or len(answer) != len(images) or answer.dtype != np.float32:
        name = contract.answers
        raise ModelError(
            f"{path} is no classifier: for {len(images)} images its output {name} is {answer.dtype} "
            f"{_shown(answer.shape)}, clf expects float32 [N, classes].",
            "Export the network with its classifier at the end.",
        )
    sums = answer.sum(axis=1)
    is_softmax = bool((answer >= 0).all() and (np.abs(sums - 1) < 1e-3).all())
    return ("probabilities" if is_softmax and answer.shape[1] > 1 else "logits"), answer.shape[1]


def _shown(shape: Sequence[Any]) -> str:
    return f"[{', '.join('?' if side is None else str(side) for side in shape)}]"
