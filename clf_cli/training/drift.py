"""What differs between the run that a checkpoint is of and the one that is to continue it, and what may."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

from clf_cli.errors import DataError, UsageError
from clf_cli.models.compute import Compute
from clf_cli.settings.kinds import shown
from clf_cli.settings.root import Settings, all_settings, settings_of
from clf_cli.values.run_record import RunRecord

# harmless: changes no number to come. rounding: the run goes on, but not bit for bit. unsafe: another run from here
# on, refused unless allowed. fixed: what was trained so far would lose its meaning.
Verdict = Literal["harmless", "rounding", "unsafe", "fixed"]

HARMLESS = (
    *("callbacks", "export", "inspect", "train.patience", "train.min_delta", "train.tracker", "train.on_nan"),
    *(
        "train.checkpoint_every_steps",
        "data.root",
        "data.scan_cache",
        "data.images",
        "compute.workers",
        "versions.python",
    ),
    *("versions.onnx", "versions.onnxruntime", "compute.worker_timeout", "compute.cache"),
)
ROUNDING = ("compute.threads", "compute.channels_last", "compute.deterministic", "compute.compile", "machine")
FIXED = (
    *("model", "classes", "train", "data.val_fraction", "data.test_fraction", "data.subset"),
    *("optim.optimizer", "optim.batch_size", "optim.accumulate", "ema.enabled"),
)
DATA = {"classes", "data.fingerprint", "data.labels", "data.removed"}  # what no setting says
NOT_COMPARED = ("train.resume", "train.init_from", "train.allow_drift", "train.name", "train.out")
RESOLVED = (  # by what `auto` became
    *("compute.device", "compute.threads", "compute.workers", "compute.precision", "compute.compile"),
)
VERSIONS = ("clf", "python", "torch", "torchvision", "timm", "lightning", "onnx", "onnxruntime", "numpy", "pillow")
MACHINE = ("cpu", "gpu", "cuda")


@dataclass(frozen=True)
class Drift:
    """One difference; `key` is `optim.lr`, `versions.torch`, `machine.gpu`, `data.fingerprint` or `classes`; `asked`
    is whether the very change is what was asked for."""

    key: str
    was: str
    now: str
    asked: bool = False

    @property
    def change(self) -> str:
        return f"{self.was} → {self.now}"

    @property
    def verdict(self) -> Verdict:
        if self.asked or (self.key == "compute.device" and _kind(self.was) == _kind(self.now)):
            return "harmless"
        verdicts: tuple[tuple[Collection[str], Verdict], ...] = (
            (HARMLESS, "harmless"),
            (ROUNDING, "rounding"),
            (FIXED, "fixed"),
        )
        return next((verdict for keys, verdict in verdicts if _names(keys, self.key)), "unsafe")


def settings_drift(stored: Mapping[str, Mapping[str, Any]], settings: Settings) -> list[Drift]:
    """Settings of `clf train` that are not those that a checkpoint holds; one that it lacks had its default."""
    plain = settings.model_dump(mode="json")
    defaults = Settings().model_dump(mode="json")
    found = []
    for setting in settings_of("train"):
        if setting.path in (*NOT_COMPARED, *RESOLVED, "optim.epochs"):
            continue
        was = stored.get(setting.section, {}).get(setting.key, defaults[setting.section][setting.key])
        now = plain[setting.section][setting.key]
        if was != now:
            found.append(Drift(setting.path, _shown(was), _shown(now)))
    return found


def compute_drift(record: RunRecord, compute: Compute, machine: Mapping[str, str]) -> list[Drift]:
    """Where and with what the math runs, by what `auto` became."""
    names = ("device", "threads", "workers", "precision", "compile")
    pairs = [(f"compute.{name}", getattr(record, name), getattr(compute, name)) for name in names]
    if record.machine and record.device == compute.device:  # another device is another machine anyway
        pairs += [(f"machine.{name}", record.machine.get(name), machine.get(name)) for name in MACHINE]
    return [Drift(key, _shown(was), _shown(now)) for key, was, now in pairs if was != now]


def version_drift(recorded: Mapping[str, str], current: Mapping[str, str]) -> list[Drift]:
    """Versions of clf, Python and the libraries that another release was recorded of."""
    return [
        Drift(f"versions.{name}", recorded[name], current[name])
        for name in VERSIONS
        if name in recorded and recorded[name] != current[name]
    ]


def judged(
    drifts: Iterable[Drift], allowed: Collection[str], accepted: Mapping[str, str], run: str, instead: str
) -> tuple[str, ...]:
    """Lines that tell every difference; `accepted` are those that an earlier resumption was allowed, `instead` is what
    may be done if not this.

    Raises UsageError (exit 2; DataError, exit 3, where it is the data alone), with all of them, where one is unsafe and
    not allowed, or fixed.
    """
    require_known(allowed)
    drifts = list(drifts)
    fixed = [drift for drift in drifts if drift.verdict == "fixed"]
    refused = to_allow(drifts, allowed, accepted)
    if not fixed and not refused:
        return tuple(_line(drift) for drift in drifts)
    stopped = [*(drift.key for drift in fixed), *refused]
    error = DataError if set(stopped) <= DATA else UsageError
    advice = (
        f"What is fixed must be as it was: {', '.join(drift.key for drift in fixed)}. "
        if fixed
        else f"To go on with another run from here on: --allow-drift {','.join(stopped)}. "
    )
    raise error(
        "\n".join(
            [f"{run} cannot go on exactly. What differs (was → now):", *(f"  {_line(drift)}" for drift in drifts)]
        ),
        f"{advice}Undo the change, or {instead}",
    )


def to_allow(drifts: Iterable[Drift], allowed: Collection[str], accepted: Mapping[str, str]) -> list[str]:
    """Keys of those that need to be allowed and are not, now or by an earlier resumption."""
    asked = [drift.key for drift in unsafe(drifts) if accepted.get(drift.key) != drift.change]
    return [key for key in asked if not _names(allowed, key)]


def unsafe(drifts: Iterable[Drift]) -> list[Drift]:
    """Those that need to be allowed."""
    return [drift for drift in drifts if drift.verdict == "unsafe"]


def require_known(allowed: Collection[str]) -> None:
    """Raises UsageError (exit 2) for a key of --allow-drift that nothing is called."""
    keys = [setting.path for setting in all_settings()]
    keys += (
        [f"versions.{name}" for name in VERSIONS]
        + [f"machine.{name}" for name in MACHINE]
        + ["data.fingerprint", "data.labels", "data.removed"]
    )
    known = {*keys, *(key.partition(".")[0] for key in keys)}
    for key in allowed:
        if key not in known:
            near = [name for name in keys if name.endswith(f".{key}")] or get_close_matches(key, sorted(known), n=1)
            raise UsageError(
                f"--allow-drift {key}: nothing is called that.",
                f"Did you mean {' or '.join(near)}?" if near else "Name what the refusal lists, such as optim.lr.",
            )


def _line(drift: Drift) -> str:
    meaning = {
        "harmless": "as asked" if drift.asked else "changes no number",
        "rounding": "goes on, not bit for bit",
        "unsafe": "another run from here on",
        "fixed": "cannot change",
    }
    return f"{drift.key}: {drift.change} ({meaning[drift.verdict]})"


def _names(keys: Collection[str], key: str) -> bool:
    """Whether `keys` name `key` or its section."""
    return key in keys or key.partition(".")[0] in keys


def _kind(device: str) -> str:
    return device.partition(":")[0]


def _shown(value: Any) -> str:
    return "not set" if value is None else shown(value)
