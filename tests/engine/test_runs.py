import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clf_cli.engine.runs import RunRow, RunsResult, read_runs
from clf_cli.errors import ModelError
from clf_cli.values.report import Report
from clf_cli.values.run_dir import RunDir
from tests.edited_runs import edited, longer, silence

NOW = datetime.now(UTC)


@pytest.fixture
def row_of(tmp_path):
    """The row of a run below tmp_path."""

    def read(run):
        return {row.run: row for row in read_runs(tmp_path, NOW)}[run.root.as_posix()]

    return read


def test_a_finished_run_is_what_its_reports_say(tiny_run, tiny_dataset):
    [row] = read_runs(tiny_run.root, NOW)
    trained = json.loads(tiny_run.report("train").read_text())["result"]
    record = json.loads(tiny_run.run_json.read_text())
    assert (row.run, row.name, row.status, row.error) == (tiny_run.root.as_posix(), "tiny", "finished", None)
    assert (row.run_id, row.arch, row.seed) == (trained["run_id"], "test_resnet", 0)
    assert (row.data, row.data_fingerprint) == (tiny_dataset.name, record["data_fingerprint"])
    assert (row.image_size, row.epochs, row.epochs_planned) == (32, 2, 2)
    assert (row.metric, row.score, row.best_epoch) == (
        "val/acc_top1",
        trained["val"]["val/acc_top1"],
        trained["best_epoch"],
    )
    assert (row.weights, row.test_score, row.onnx) == ("ema", trained["test"]["test/acc_top1"], "passed")
    assert row.seconds == pytest.approx(trained["seconds"], abs=1e-3)
    assert row.started == record["started"]
    assert row.changed is not None
    assert row.started <= row.changed


def test_the_monitored_metric_is_the_score_on_val_and_test(tiny_run, tmp_path, row_of):
    run = edited(tiny_run, tmp_path / "a", settings={'monitor = "val/acc_top1"': 'monitor = "val/loss"'})
    row, trained = row_of(run), json.loads(run.report("train").read_text())["result"]
    losses = {int(line.split(",")[0]): float(line.split(",")[3]) for line in run.metrics.read_text().split()[1:]}
    assert row.metric == "val/loss"
    assert (row.score, row.best_epoch) == (min(losses.values()), min(losses, key=lambda epoch: losses[epoch]))
    assert row.test_score == trained["test"]["test/loss"]


@pytest.mark.parametrize("status", ["running", "interrupted", "failed"])
def test_a_run_that_has_not_finished(tiny_run, tmp_path, row_of, status):
    settings = {"epochs = 2": "epochs = 9", "[ema]\nenabled = true": "[ema]\nenabled = false"}
    row = row_of(edited(tiny_run, tmp_path / "a", longer(4), settings, status=status))
    assert (row.status, row.epochs, row.epochs_planned) == (status, 4, 9)
    assert (row.score, row.best_epoch, row.weights) == (0.8, 4, "live")
    assert row.test_score is None  # what lies there is of an earlier end


def test_a_silent_run(tiny_run, tmp_path, row_of):
    run = edited(tiny_run, tmp_path / "a", status="running")
    silence(run, NOW - timedelta(hours=2))
    assert row_of(run).status == "running?"
    assert row_of(run).changed == (NOW - timedelta(hours=2)).isoformat(timespec="seconds")


def test_what_a_run_never_had_is_none(tiny_run, tmp_path, row_of):
    run = edited(tiny_run, tmp_path / "a", lambda rows: [], {"image_size = 32": ""}, status="running", started=None)
    shutil.rmtree(run.export)
    shutil.rmtree(run.report("x").parent)
    run.timing.unlink()
    run.labels_mapping.unlink()
    row = row_of(run)
    nothing = ("score", "best_epoch", "weights", "test_score", "onnx", "seconds", "started", "image_size")
    assert {name: value for name, value in vars(row).items() if name in nothing} == dict.fromkeys(nothing)
    assert (row.status, row.epochs, row.arch) == ("running", 0, "test_resnet")


def test_the_size_that_the_network_was_built_for(tiny_run, tmp_path, row_of):
    assert row_of(edited(tiny_run, tmp_path / "a", settings={"image_size = 32": ""})).image_size == 32


@pytest.mark.parametrize(
    ("model", "validation", "export_error", "onnx"),
    [
        (True, '{"result": {"passed": true}}', None, "passed"),
        (True, '{"result": {"passed": false}}', None, "failed"),
        (True, None, None, "unchecked"),
        (False, None, None, None),
        (False, None, "It answers differently.", "failed"),
    ],
)
def test_the_export_and_its_check(tiny_run, tmp_path, row_of, model, validation, export_error, onnx):
    run = edited(tiny_run, tmp_path / "a")
    run.validation.unlink()
    if model:
        run.onnx.write_bytes(b"")
    if validation:
        run.validation.write_text(validation)
    report = json.loads(run.report("train").read_text())
    report["result"]["export_error"] = export_error
    run.report("train").write_text(json.dumps(report))
    assert row_of(run).onnx == onnx


BROKEN = {
    "later": lambda run: run.run_json.write_text('{"format_version": 99, "clf": "7.0"}'),
    "nojson": lambda run: run.run_json.write_text("{"),
    "norecord": lambda run: run.run_json.unlink(),
    "nosettings": lambda run: run.settings.unlink(),
    "nometrics": lambda run: run.metrics.write_text("1,2,3\n"),
    "notrain": lambda run: run.report("train").write_text("[]"),
}


def test_broken_runs_are_listed_with_the_reason_and_stop_no_other(tiny_run, tmp_path):
    edited(tiny_run, tmp_path / "fine")
    for name, breaks in BROKEN.items():
        breaks(edited(tiny_run, tmp_path / name))
    rows = {row.name: row for row in read_runs(tmp_path, NOW)}
    assert set(rows) == {"fine", *BROKEN}
    assert rows["fine"].status == "finished"
    for name in BROKEN:
        row = rows[name]
        assert (row.status, row.score, row.arch) == ("broken", None, None)
        assert str(tmp_path / name) in (row.error or "")
    assert "later clf (7.0)" in (rows["later"].error or "")
    assert "no run.json" in (rows["norecord"].error or "")
    result = RunsResult(tmp_path.as_posix(), len(rows), "name", tuple(rows.values()))
    assert {finding["path"] for finding in result.findings} == {rows[name].run for name in BROKEN}


def test_runs_are_found_three_folders_deep_and_not_inside_runs(tiny_run, tmp_path):
    places = ("a", "b/c", "b/d/e", "b/d/e/deep/down", "f/g/h/i", ".hidden")
    for place in places:
        edited(tiny_run, tmp_path / place)
    edited(tiny_run, tmp_path / "a" / "inner")
    (tmp_path / "empty" / "folder").mkdir(parents=True)
    (tmp_path / "file").write_text("x")
    assert [row.name for row in read_runs(tmp_path, NOW)] == ["a", "b/c", "b/d/e"]


def test_names_are_below_the_folder_that_was_named(tiny_run, tmp_path, monkeypatch):
    edited(tiny_run, tmp_path / "runs" / "a")
    monkeypatch.chdir(tmp_path)
    assert [(row.run, row.name) for row in read_runs(Path("runs"), NOW)] == [("runs/a", "a")]
    assert [(row.run, row.name) for row in read_runs(Path("runs/a"), NOW)] == [("runs/a", "a")]
    assert [(row.run, row.name) for row in read_runs(Path(), NOW)] == [("runs/a", "runs/a")]


@pytest.mark.parametrize(("name", "says"), [("", "No runs in"), ("gone", "There is no folder"), ("file", "is a file")])
def test_a_folder_without_runs_is_exit_4(tmp_path, name, says):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ModelError) as raised:
        read_runs(tmp_path / name, NOW)
    assert says in raised.value.message
    assert str(tmp_path / name) in raised.value.message
    assert "clf train" in (raised.value.hint or "")


def listed(*scored, limit=None):
    rows = tuple(
        RunRow(name, name, "finished", data="d", data_fingerprint=data, metric=metric, score=score)
        for name, data, metric, score in scored
    )
    return RunsResult("runs", len(rows), "score", rows, limit=limit)


@pytest.mark.parametrize(
    ("scored", "data_sets", "metrics"),
    [
        ([("a", "sha256:1", "val/loss", 1.0), ("b", "sha256:1", "val/loss", 2.0)], 1, 1),
        ([("a", "sha256:1", "val/loss", 1.0), ("b", "sha256:2", "val/loss", 2.0)], 2, 1),
        ([("a", "sha256:1", "val/loss", 1.0), ("b", "sha256:1", "val/ece", 2.0)], 1, 2),
        ([("a", "sha256:1", "val/loss", 1.0), ("b", "sha256:2", "val/ece", None)], 1, 1),  # nothing was scored there
        ([], 0, 0),
    ],
)
def test_mixed_data_and_metrics_are_found(scored, data_sets, metrics):
    result = listed(*scored)
    assert (len(result.data_sets), len(result.metrics)) == (data_sets, metrics)
    assert len(result.findings) == max(0, data_sets - 1) + max(0, metrics - 1)


def test_the_first_of_a_mixed_list_is_still_of_a_mixed_list():
    result = listed(("a", "sha256:1", "m", 1.0), ("b", "sha256:2", "m", 0.5), limit=1)
    assert [row.name for row in result.rows] == ["a"]
    assert len(result.data_sets) == 2


def test_report_form(tiny_run):
    rows = read_runs(tiny_run.root, NOW)
    value = json.loads(json.dumps(Report(RunsResult("runs", 3, "score", rows, limit=1)).to_json()))
    assert (value["kind"], value["model"], value["data"], value["findings"]) == ("runs", None, None, [])
    result = value["result"]
    assert {key: result[key] for key in ("folder", "found", "matching", "sort", "reverse")} == {
        **{"folder": "runs", "found": 3, "matching": 1},
        **{"sort": "score", "reverse": False},
    }
    assert list(result["runs"][0]) == list(RunRow.__dataclass_fields__)


def test_a_folder_that_may_not_be_read_is_passed_by(tiny_run, tmp_path, monkeypatch):
    edited(tiny_run, tmp_path / "a")
    (tmp_path / "secret").mkdir()
    iterdir = Path.iterdir

    def refuse(path):
        if path.name == "secret":
            raise PermissionError(13, "Permission denied")
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert [row.name for row in read_runs(tmp_path, NOW)] == ["a"]


def test_what_training_left_before_its_record_is_a_broken_run(tiny_run, tmp_path):
    """A run that was killed while it started has settings and splits, and no run.json."""
    started = RunDir(tmp_path / "started")
    started.root.mkdir()
    for name in ("settings.toml", "splits.csv"):
        shutil.copy(tiny_run.root / name, started.root)
    [row] = read_runs(tmp_path, NOW)
    assert (row.name, row.status) == ("started", "broken")
