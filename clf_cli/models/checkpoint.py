"""Checkpoints: Lightning's layout, and one plain-data key `clf` with what the weights need (docs/design.md, 2.3)."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from clf_cli.errors import ModelError
from clf_cli.models.torch_files import is_safetensors, is_whole, load_torch, read_start
from clf_cli.values.contract import Score
from clf_cli.values.contract_check import PREPROCESS, SIZE, check_names, check_scaled, check_values
from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import Preprocess
from clf_cli.values.report import Weights
from clf_cli.values.run_dir import RunDir
from clf_cli.values.typed import typed

FORMAT_VERSION = 1
CLF_KEY = "clf"
LIVE_KEY = "current_model_state"
NETWORK_PREFIX = "network."
StateDict = dict[str, Tensor]
_USED: dict[tuple[str, str], Callable[[Any], bool]] = {  # settings that are read from a checkpoint
    ("model", "drop_rate"): lambda value: isinstance(value, int | float) and 0 <= value <= 1,
    ("compute", "channels_last"): lambda value: isinstance(value, bool),
    ("compute", "seed"): lambda value: isinstance(value, int),
    ("optim", "batch_size"): lambda value: isinstance(value, int | str),
    ("train", "monitor"): lambda value: isinstance(value, str),
}


@dataclass(frozen=True)
class CheckpointFacts:
    """What travels with the weights in every checkpoint."""

    arch: str
    labels: Labels
    preprocess: Preprocess
    settings: dict[str, Any]  # the run's Settings as plain data: section -> key -> value
    score: Score | None  # None: never validated
    scored_weights: Weights  # which weights `state_dict` holds
    epoch: int  # epochs that were finished
    run_id: str | None
    data_fingerprint: str | None


@dataclass(frozen=True)
class Checkpoint(CheckpointFacts):
    """One file, read. The tensors lie on the CPU, under the network's own names."""

    path: Path
    step: int  # optimiser steps that were done
    state_dict: StateDict  # the weights that scored
    live_state: StateDict | None  # the live weights, where `state_dict` holds the average
    resumable: bool  # whether it holds an optimiser
    scored_on: str | None = None  # fingerprint of the data of `score`; None: of `data_fingerprint`
    resumed: int = 0  # how often the run had been resumed when it was written

    def weights(self, ema: bool | None = None) -> tuple[StateDict, Weights]:
        """The weights that scored (None), their moving average (True) or the live ones (False), and which they are.

        Raises ModelError (exit 4) when the average is asked of a run that was trained without it, or live weights of a
        file that has none.
        """
        if ema is None:
            return self.state_dict, self.scored_weights
        if not ema:
            if self.live_state is None and self.scored_weights == "ema":
                raise ModelError(
                    f"{self.path} holds no live weights: it is a mean of moving averages.", "Leave --no-ema away."
                )
            return self.live_state or self.state_dict, "live"
        if self.scored_weights != "ema":
            raise ModelError(
                f"{self.path} holds no moving average of the weights: it was trained with --no-ema.",
                "Leave --ema away to take the weights that scored.",
            )
        return self.state_dict, "ema"

    def score_of(self, weights: Weights) -> Score | None:
        """The stored score, if it is of those weights."""
        return self.score if weights == self.scored_weights else None


def clf_payload(facts: CheckpointFacts) -> dict[str, Any]:
    """The value of a checkpoint's `clf` key: str, int, float, bool, None, list and dict only.

    More plain keys may be added to it (random states); readers ignore those they do not know.
    """
    return {
        "format_version": FORMAT_VERSION,
        "arch": facts.arch,
        "labels": list(facts.labels),
        "preprocess": facts.preprocess.to_json(),
        "settings": facts.settings,
        "score": None if facts.score is None else asdict(facts.score),
        "weights": facts.scored_weights,
        "epoch": facts.epoch,
        "run_id": facts.run_id,
        "data_fingerprint": facts.data_fingerprint,
    }


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads by content, whatever the suffix, and runs nothing of the file.

    Raises ModelError (exit 4) when there is no such file, or it is empty, cut short (named with its size and the newest
    whole checkpoint beside it), of another kind, of another program, of a newer clf, or asks to run code.
    """
    try:
        if is_safetensors(read_start(path, "checkpoint")):
            from clf_cli.models.exchange import read_exchange  # it imports this file

            return read_exchange(path)
        data = load_torch(path, "checkpoint")
    except ModelError as error:
        raise ModelError(error.message, error.hint or _whole_beside(path)) from error
    if not isinstance(data, dict) or not isinstance(data.get(CLF_KEY), dict):
        raise ModelError(
            f"{path} is not a checkpoint of clf: it lacks the key `{CLF_KEY}` with labels, preprocessing and settings.",
            "Weights of other programs start a new run: clf train --weights FILE --arch NAME.",
        )
    meta = data[CLF_KEY]
    version = meta.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ModelError(
            f"{path} has checkpoint format {version}; this clf reads up to {FORMAT_VERSION}.", "Upgrade clf to read it."
        )
    try:
        return typed(_checkpoint(path, data, meta))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            f"{path} is a damaged checkpoint: {type(error).__name__} {error} while reading it.", _whole_beside(path)
        ) from error


def _checkpoint(path: Path, data: Mapping[str, Any], meta: Mapping[str, Any]) -> Checkpoint:
    live = data.get(LIVE_KEY)
    score = meta["score"]
    return Checkpoint(
        arch=meta["arch"],
        labels=_labels(meta["labels"]),
        preprocess=_preprocess(meta["preprocess"]),
        settings=_settings(meta["settings"]),
        score=None if score is None else Score(**score),
        scored_weights=meta["weights"],
        epoch=meta["epoch"],
        run_id=meta["run_id"],
        data_fingerprint=meta["data_fingerprint"],
        path=path,
        step=data.get("global_step", 0),
        state_dict=_network_state(data["state_dict"]),
        live_state=None if live is None else _network_state(live),
        resumable=bool(data.get("optimizer_states")),
        scored_on=meta.get("scored_on"),
        resumed=meta.get("resumed", 0),
    )


def _labels(names: Any) -> Labels:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("labels are no list of texts")
    check_names(names)
    return Labels(tuple(names))


def _preprocess(values: Any) -> Preprocess:
    if not isinstance(values, dict):
        raise TypeError("preprocess is no object with keys")
    check_values(values, {**SIZE, **PREPROCESS}, "preprocess.")
    preprocess = Preprocess.from_json(values)
    check_scaled(values, values)
    return preprocess


def _settings(sections: Any) -> dict[str, Any]:
    if not isinstance(sections, dict) or not all(isinstance(section, dict) for section in sections.values()):
        raise TypeError("settings are no sections with keys")
    for (section, key), fits in _USED.items():
        value = sections.get(section, {}).get(key)
        if value is not None and not fits(value):
            raise ValueError(f"settings {section}.{key} are {value!r:.60}")
    return sections


def _network_state(state: Mapping[str, Tensor]) -> StateDict:
    if not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()):
        raise TypeError("a state that is no tensors by name")
    found = {
        name.removeprefix(NETWORK_PREFIX): value for name, value in state.items() if name.startswith(NETWORK_PREFIX)
    }
    if not found:
        raise KeyError(f"{NETWORK_PREFIX}* in state_dict")
    return found


def _whole_beside(path: Path) -> str:
    """The next step after an unreadable checkpoint: the newest whole one in its folder, or the best of a run."""
    best = RunDir(path).best
    if best.is_file():
        return f"Name a file: the best checkpoint of this run is {best}."
    folder = path.parent
    others = [other for other in folder.glob("*.ckpt") if other != path] if folder.is_dir() else []
    for other in sorted(others, key=lambda file: file.stat().st_mtime, reverse=True):
        if is_whole(other):
            return f"The newest whole checkpoint beside it is {other}."
    return "Name a run folder or one of the checkpoints that clf train wrote."
