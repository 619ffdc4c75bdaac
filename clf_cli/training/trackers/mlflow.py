"""MLflow: the store of MLFLOW_TRACKING_URI, else an sqlite file beside the runs, where they can be compared."""

import logging
import os
import shlex
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clf_cli.training.trackers.tracker import Ending, Plain, TrackedRun

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

STORE, FILES = "mlflow.db", "mlflow-artifacts"  # in the folder that holds the runs
ENDINGS = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}


@dataclass(frozen=True)
class MlflowRun:
    """Scores with the epoch as step, settings as parameters, pictures and model files as artifacts."""

    id: str
    where: str
    client: "MlflowClient"

    def settings(self, values: Mapping[str, Plain]) -> None:
        """Parameters can be told once: what a later start has otherwise becomes a tag, `resumed.optim.epochs`."""
        from mlflow.entities import Param, RunTag

        told = self.client.get_run(self.id).data.params
        texts = {name: "" if value is None else str(value) for name, value in values.items()}
        new = [Param(name, text) for name, text in texts.items() if name not in told]
        tags = [RunTag(f"resumed.{name}", text) for name, text in texts.items() if told.get(name, text) != text]
        self.client.log_batch(self.id, params=new, tags=tags)

    def scores(self, values: Mapping[str, float], epoch: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self.client.log_batch(self.id, metrics=[Metric(name, value, now, epoch) for name, value in values.items()])

    def picture(self, name: str, path: Path, epoch: int) -> None:
        self.client.log_artifact(self.id, str(path), f"epochs/{epoch:03d}")

    def file(self, path: Path, folder: str) -> None:
        self.client.log_artifact(self.id, str(path), folder)

    def close(self, ending: Ending) -> None:
        self.client.set_terminated(self.id, ENDINGS[ending])

    def abandon(self) -> None:
        """There is nothing to take back."""


def open_mlflow(run: TrackedRun) -> MlflowRun:
    """Continues the run that is known by its id, or begins one in the experiment of MLFLOW_EXPERIMENT_NAME, else of the
    data's name."""
    client, where = _client(run.folder.root.parent)
    if run.known_as is not None:
        client.update_run(run.known_as, status="RUNNING")
        return MlflowRun(run.known_as, where, client)
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or run.group or "clf"
    experiment = client.get_experiment_by_name(name)
    local = "MLFLOW_TRACKING_URI" not in os.environ
    files = (run.folder.root.parent / FILES).resolve().as_uri() if local else None
    number = client.create_experiment(name, files) if experiment is None else experiment.experiment_id
    begun = client.create_run(number, run_name=run.folder.root.name, tags={"clf.run_id": run.run_id})
    return MlflowRun(begun.info.run_id, where, client)


def _client(runs: Path) -> tuple["MlflowClient", str]:
    """The client, and where a person looks; an address in the environment may hold a password, so it is not shown."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when it is imported
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sqlalchemy's, of how mlflow calls it
        from mlflow.tracking import MlflowClient

        for name in ("alembic", "mlflow"):  # they tell how they lay out the tables of a new store
            logging.getLogger(name).setLevel(logging.WARNING)
        if "MLFLOW_TRACKING_URI" in os.environ:
            return MlflowClient(), "the store of MLFLOW_TRACKING_URI"
        runs.mkdir(parents=True, exist_ok=True)
        uri = f"sqlite:///{(runs / STORE).resolve().as_posix()}"
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)  # makes the tables
        return client, f"mlflow ui --backend-store-uri {shlex.quote(f'sqlite:///{(runs / STORE).as_posix()}')}"
