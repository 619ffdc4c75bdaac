"""One run that reports to every tracker, and is resumed: what each real local backend gives back afterwards."""

import csv
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from wandb.proto import wandb_internal_pb2
from wandb.sdk.internal.datastore import DataStore

from clf_cli.__main__ import main
from clf_cli.training.trackers.mlflow import FILES, STORE
from clf_cli.values.run_dir import RunDir
from tests.running import train_arguments

LESS = ("--no-history", "--no-sampler-stats", "--no-dataset-stats")


@dataclass(frozen=True)
class Tracked:
    """A run of two epochs, resumed for a third, and its record before that."""

    run: RunDir
    before: dict[str, Any]

    @property
    def rows(self) -> list[dict[str, str]]:
        with self.run.metrics.open(newline="") as file:
            return list(csv.DictReader(file))

    def column(self, name: str) -> list[float]:
        return [float(row[name]) for row in self.rows]

    @property
    def result(self) -> dict[str, Any]:
        result: dict[str, Any] = json.loads(self.run.report("train").read_text())["result"]
        return result


def record(run: RunDir) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run.run_json.read_text())
    return found


@pytest.fixture(scope="module")
def tracked(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Tracked:
    out = tmp_path_factory.mktemp("tracked")
    run = RunDir(out / "run")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("CLF_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))
        for name in [name for name in os.environ if name.startswith(("WANDB_", "MLFLOW_"))]:
            monkeypatch.delenv(name)
        trackers = ("--tracker", "csv,tensorboard", "--tracker", "wandb", "--tracker", "mlflow")
        assert main(train_arguments(tiny_dataset, out, "run", *LESS, *trackers)) == 0
        before = record(run)
        assert main(["train", "--resume", str(run.root), "--epochs", "3", "--no-export"]) == 0
    return Tracked(run, before)


@pytest.fixture(scope="module")
def events(tracked: Tracked) -> EventAccumulator:
    folder = tracked.run.root / tracked.before["trackers"]["tensorboard"]
    assert len(list(folder.glob("events.out.tfevents.*"))) == 2
    return EventAccumulator(str(folder)).Reload()


@pytest.fixture(scope="module")
def records(tracked: Tracked) -> list[list[Any]]:
    """Of wandb: the records of each start's segment, in the order of the starts."""
    return [read_wandb(file) for file in sorted((tracked.run.tracker / "wandb").rglob("run-*.wandb"))]


@pytest.fixture(scope="module")
def client(tracked: Tracked) -> MlflowClient:
    return MlflowClient(tracking_uri=f"sqlite:///{tracked.run.root.parent / STORE}")


def test_the_ids_are_stored_and_continued(tracked: Tracked) -> None:
    ids = tracked.before["trackers"]
    assert set(ids) == {"tensorboard", "wandb", "mlflow"}
    assert record(tracked.run)["trackers"] == ids
    assert ids["wandb"] == tracked.before["run_id"]
    assert ids["tensorboard"] == "tracker/tensorboard"


def test_metrics_csv_is_written_in_any_case(tracked: Tracked) -> None:
    assert tracked.column("epoch") == [1, 2, 3]


class TestTensorBoard:
    @pytest.mark.parametrize("name", ["train/loss", "val/loss", "val/acc_top1", "lr"])
    def test_a_point_per_epoch(self, tracked: Tracked, events: EventAccumulator, name: str) -> None:
        points = events.Scalars(name)
        assert [point.step for point in points] == [1, 2, 3]
        assert [point.value for point in points] == pytest.approx(tracked.column(name))

    def test_the_test_and_nothing_undefined(self, tracked: Tracked, events: EventAccumulator) -> None:
        assert events.Scalars("test/acc_top1")[-1].value == pytest.approx(tracked.result["test"]["test/acc_top1"])
        assert "val/acc_top5" not in events.Tags()["scalars"]  # three classes

    @pytest.mark.parametrize("name", ["val/confusion", "val/samples"])
    def test_pictures(self, tracked: Tracked, events: EventAccumulator, name: str) -> None:
        shown = events.Images(name)
        assert 3 in [image.step for image in shown]
        assert min(shown[0].width, shown[0].height) > 100

    def test_settings_and_files_as_text(self, tracked: Tracked, events: EventAccumulator) -> None:
        tags = events.Tags()["tensors"]
        settings = events.Tensors("settings/text_summary")
        assert "| `optim.batch_size` | 8 |" in settings[0].tensor_proto.string_val[0].decode()
        assert "| `optim.epochs` | 3 |" in settings[1].tensor_proto.string_val[0].decode()
        assert {"files/best.ckpt/text_summary", "files/model.onnx/text_summary"} <= set(tags)
        assert events.SummaryMetadata("_hparams_/session_start_info").plugin_data.plugin_name == "hparams"


class TestWandb:
    def test_both_starts_are_segments_of_one_run(self, tracked: Tracked, records: list[list[Any]]) -> None:
        runs = [part.run for part in map(only_run, records)]
        assert [run.run_id for run in runs] == [tracked.before["trackers"]["wandb"]] * 2
        assert [run.project for run in runs] == ["discs", "discs"]
        assert runs[0].display_name == "run"

    def test_a_point_per_epoch(self, tracked: Tracked, records: list[list[Any]]) -> None:
        told = [row for part in records for row in history(part) if "train/loss" in row]
        assert [row["epoch"] for row in told] == [1, 2, 3]
        for name in ("train/loss", "val/acc_top1", "lr"):
            assert [row[name] for row in told] == pytest.approx(tracked.column(name))
        tests = [row["test/acc_top1"] for part in records for row in history(part) if "test/acc_top1" in row]
        assert tests[-1] == pytest.approx(tracked.result["test"]["test/acc_top1"])

    def test_settings_pictures_and_files(self, tracked: Tracked, records: list[list[Any]]) -> None:
        config = [item for record in records[1] for item in (*record.config.update, *record.run.config.update)]
        values = {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in config}
        assert (values["optim.batch_size"], values["optim.epochs"], values["compute.device"]) == (8, 3, "cpu")
        artifacts = [record.artifact for part in records for record in part if record.HasField("artifact")]
        contents = [entry.path for artifact in artifacts for entry in artifact.manifest.contents]
        assert {"checkpoints/best.ckpt", "export/model.onnx"} <= set(contents)
        assert all(artifact.type == "model" for artifact in artifacts)
        pictures = [path.name for path in (tracked.run.tracker / "wandb").rglob("*.png")]
        assert any(name.startswith("confusion") for name in pictures)
        assert any(name.startswith("samples") for name in pictures)


class TestMlflow:
    def test_a_point_per_epoch(self, tracked: Tracked, client: MlflowClient) -> None:
        run_id = tracked.before["trackers"]["mlflow"]
        for name in ("train/loss", "val/acc_top1", "lr"):
            points = client.get_metric_history(run_id, name)
            assert [point.step for point in points] == [1, 2, 3]
            assert [point.value for point in points] == pytest.approx(tracked.column(name))
        last = client.get_run(run_id).data.metrics["test/acc_top1"]
        assert last == pytest.approx(tracked.result["test"]["test/acc_top1"])

    def test_settings_of_both_starts(self, tracked: Tracked, client: MlflowClient) -> None:
        found = client.get_run(tracked.before["trackers"]["mlflow"])
        assert found.info.status == "FINISHED"
        assert found.data.params["optim.epochs"] == "2"
        assert found.data.tags["resumed.optim.epochs"] == "3"
        assert found.data.tags["clf.run_id"] == tracked.before["run_id"]
        experiment = client.get_experiment(found.info.experiment_id)
        assert experiment.name == "discs"

    def test_pictures_and_files(self, tracked: Tracked, client: MlflowClient) -> None:
        folder = tracked.run.root.parent / FILES / tracked.before["trackers"]["mlflow"] / "artifacts"
        kept = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}
        assert {"checkpoints/best.ckpt", "export/model.onnx"} <= kept
        assert {"epochs/003/confusion.png", "epochs/003/samples.png"} <= kept
        assert (folder / "checkpoints/best.ckpt").read_bytes() == tracked.run.best.read_bytes()


def read_wandb(file: Path) -> list[Any]:
    store = DataStore()
    store.open_for_scan(str(file))
    records = []
    while (data := store.scan_data()) is not None:
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        records.append(record)
    store.close()
    return records


def only_run(records: list[Any]) -> Any:
    return next(record for record in records if record.HasField("run"))


def history(records: list[Any]) -> list[dict[str, Any]]:
    items = [record.history.item for record in records if record.HasField("history")]
    return [{".".join(item.nested_key) or item.key: json.loads(item.value_json) for item in row} for row in items]
