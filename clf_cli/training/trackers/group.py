"""All trackers of a run as one. A tracker that fails in mid-run is told once and left: it must not cost the run."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from math import isfinite
from pathlib import Path
from typing import Any

from clf_cli.errors import RunError, first_line
from clf_cli.settings.root import settings_of
from clf_cli.training.start import Start
from clf_cli.training.trackers.tracker import Ending, Plain, TrackedRun, Tracker
from clf_cli.training.watcher import Watcher
from clf_cli.values.run_dir import RunDir

PICTURES = ("confusion", "samples")  # of an epoch, on val
Open = Callable[[TrackedRun], Tracker]


class Trackers:
    """Hands everything to each tracker. The run's own files hold all of it, so a failure loses nothing."""

    def __init__(self, opened: Mapping[str, Tracker], warn: Callable[[str], None]) -> None:
        self.ids = {name: tracker.id for name, tracker in opened.items()}
        self._working = dict(opened)
        self._warn = warn
        self._sent: set[Path] = set()

    def settings(self, values: Mapping[str, Plain]) -> None:
        self._each(lambda tracker: tracker.settings(values))

    def scores(self, values: Mapping[str, float], epoch: int) -> None:
        """Values that are undefined are left out."""
        finite = {name: value for name, value in values.items() if isfinite(value)}
        self._each(lambda tracker: tracker.scores(finite, epoch))

    def pictures(self, run: RunDir, epoch: int) -> None:
        """Those of the epoch that are drawn and were not sent."""
        for kind in PICTURES:
            path = run.epoch(epoch) / f"{kind}.png"
            if path not in self._sent and path.is_file():
                self._sent.add(path)
                self._picture(f"val/{kind}", path, epoch)

    def file(self, path: Path, folder: str) -> None:
        self._each(lambda tracker: tracker.file(path, folder))

    def close(self, ending: Ending) -> None:
        self._each(lambda tracker: tracker.close(ending))
        self._working = {}

    def _picture(self, name: str, path: Path, epoch: int) -> None:
        self._each(lambda tracker: tracker.picture(name, path, epoch))

    def _each(self, tell: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._working.items()):
            try:
                tell(tracker)
            except Exception as error:  # noqa: BLE001  # whatever its library, its disk or its server came up with
                del self._working[name]
                reason = f"{type(error).__name__}: {first_line(error)}"
                self._warn(f"The tracker {name} failed and gets nothing more of this start: {reason}")
                with suppress(Exception):  # it has failed already
                    tracker.abandon()


def open_trackers(start: Start, watcher: Watcher) -> Trackers:
    """The trackers that the settings name, opened, told the settings, and each announced with where to look.

    Raises RunError (exit 6) when one cannot be opened: before training that is better than a run without it.
    """
    opened: dict[str, Tracker] = {}
    for name in dict.fromkeys(start.settings.train.tracker):
        if name == "csv":
            continue
        known_as = start.record.trackers.get(name)
        run = TrackedRun(start.run, start.record.run_id, start.dataset.root.name, known_as)
        try:
            opened[name] = opener(name)(run)
        except Exception as error:
            Trackers(opened, watcher.warn).close("failed")
            reason = f"{type(error).__name__}: {first_line(error)}"
            raise RunError(
                f"The tracker {name} cannot start: {reason}", "Mend it, or leave it out of --tracker."
            ) from error
        watcher.say(f"Tracker {name}: {opened[name].where}")
    trackers = Trackers(opened, watcher.warn)
    trackers.settings(hyperparameters(start))
    return trackers


def opener(name: str) -> Open:
    """The function that opens a tracker; its library is imported here, where it is asked for."""
    if name == "tensorboard":
        from clf_cli.training.trackers.tensorboard import open_tensorboard

        return open_tensorboard
    if name == "wandb":
        from clf_cli.training.trackers.wandb import open_wandb

        return open_wandb
    from clf_cli.training.trackers.mlflow import open_mlflow

    return open_mlflow


def hyperparameters(start: Start) -> dict[str, Plain]:
    """Every setting of `clf train` by its path, `auto` as what it became; lists as text."""
    tables: dict[str, dict[str, Any]] = start.settings.model_dump(mode="json")
    values: dict[str, Plain] = {}
    for setting in settings_of("train"):
        value = tables[setting.section][setting.key]
        values[setting.path] = ",".join(map(str, value)) if isinstance(value, list) else value
    compute = start.compute
    return values | {
        "compute.device": compute.device,
        "compute.threads": compute.threads,
        "compute.workers": compute.workers,
        "compute.precision": compute.precision,
        "compute.compile": compute.compile,
    }
