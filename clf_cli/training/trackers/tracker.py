"""What a run tells its trackers, and which of them can be used here."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Protocol

from clf_cli.errors import ExportError
from clf_cli.values.run_dir import RunDir

Plain = str | int | float | bool | None
Ending = Literal["finished", "interrupted", "failed"]

NEEDS = {  # beside metrics.csv, which needs nothing
    "tensorboard": ("tensorboard",),
    "wandb": ("wandb",),
    "mlflow": ("mlflow", "sqlalchemy", "alembic"),
}


@dataclass(frozen=True)
class TrackedRun:
    """What a tracker is opened with. `group` joins the runs on the same data; `known_as` is its id of this run from an
    earlier start, None at the first."""

    folder: RunDir
    run_id: str
    group: str
    known_as: str | None


class Tracker(Protocol):
    """One place beside metrics.csv that a run reports to. What cannot be stored there is left out.

    Any method may raise whatever its library raises: see `Trackers`.
    """

    @property
    def id(self) -> str:
        """What the tracker calls the run; with it a later start continues there."""

    @property
    def where(self) -> str:
        """Where a person finds it: a command or an address."""

    def settings(self, values: Mapping[str, Plain]) -> None:
        """`optim.lr` and its like to their values; a later start may tell others."""

    def scores(self, values: Mapping[str, float], epoch: int) -> None:
        """Finite values by metric name. Epochs count from 1; one may come twice, after a resumption."""

    def picture(self, name: str, path: Path, epoch: int) -> None:
        """A PNG file, such as `val/confusion`."""

    def file(self, path: Path, folder: str) -> None:
        """A model file, to be kept under a folder of the tracker's."""

    def close(self, ending: Ending) -> None:
        """Sends what is left."""

    def abandon(self) -> None:
        """After a failure: sends nothing more, and takes back what the library would do at the end of the process."""


def require_installed(names: Collection[str]) -> None:
    """Raises ExportError (exit 5) with the install line for a tracker whose package is not here. Imports none."""
    missing = [name for name, packages in NEEDS.items() if name in names and not all(map(_is_there, packages))]
    if missing:
        what = f"The tracker {missing[0]} is" if len(missing) == 1 else f"The trackers {' and '.join(missing)} are"
        raise ExportError(f"{what} not installed.", f"pip install 'clf-cli[{','.join(missing)}]'")


def _is_there(package: str) -> bool:
    """A folder that only has the package's name, such as the ./wandb that wandb writes, has no origin."""
    spec = find_spec(package)
    return spec is not None and spec.origin is not None
