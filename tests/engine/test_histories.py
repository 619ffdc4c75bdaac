import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clf_cli.engine.histories import histories, history_report, read_trained, told_apart
from clf_cli.engine.history import HistoryResult
from clf_cli.errors import ModelError
from clf_cli.values.report import Report
from tests.edited_runs import edited, longer

NOW = datetime(2030, 1, 2, tzinfo=UTC)
NAMES = st.text("ab", min_size=1, max_size=2)
FOLDERS = st.lists(st.lists(NAMES, min_size=1, max_size=4).map(lambda p: Path("/", *p)), min_size=1, unique=True)


@pytest.mark.parametrize("validates", [True, False])
def test_the_report_of_one_run_is_what_training_wrote(tiny_run, tmp_path, validates):
    run = tiny_run if validates else edited(tiny_run, tmp_path / "run", settings={"val = true": "val = false"})
    report = history_report(read_trained([run.root])[0]).to_json()
    written = json.loads(run.report("history").read_text())
    if validates:
        assert report == written
    else:
        assert report["model"]["path"] == "checkpoints/last.ckpt"
        assert [finding["category"] for finding in report["findings"]] == ["validation"]


@pytest.fixture(scope="module")
def copies(tiny_run, tmp_path_factory):
    """Runs of 1, 2, 3 and 4 epochs."""
    root = tmp_path_factory.mktemp("copies")
    return [edited(tiny_run, root / f"run{count}", longer(count)) for count in (1, 2, 3, 4)]


@settings(max_examples=25)
@given(order=st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_runs_stay_in_the_order_of_their_names_and_stand_once(copies, order):
    found = read_trained([copies[number].root for number in order])
    distinct = list(dict.fromkeys(order))
    assert [len(files.rows) for files in found] == [number + 1 for number in distinct]
    result = histories(found, NOW)
    assert [course.run for course in result.runs] == [copies[number].root.as_posix() for number in distinct]
    assert [course.name for course in result.runs] == [f"run{number + 1}" for number in distinct]


def test_the_same_folder_by_two_names_is_one_run(copies, monkeypatch):
    root = copies[0].root
    monkeypatch.chdir(root.parent)
    assert len(read_trained([root, Path("run1"), Path("run2/../run1"), Path("./run2")])) == 2


@given(roots=FOLDERS)
def test_names_are_unique_ends_of_the_paths_and_as_short_as_can_be(roots):
    names = told_apart(roots)
    for root, name in zip(roots, names, strict=True):
        length = len(Path(name).parts)
        assert root.parts[-length:] == Path(name).parts
        others = [other for other in roots if other != root]
        shorter = root.parts[len(root.parts) - length + 1 :]
        assert length == 1 or any(other.parts[-len(shorter) :] == shorter for other in others)
        if Path(name) != root:
            assert not any(other.parts[-length:] == Path(name).parts for other in others)
    assert len(set(names)) == len(names)


def test_told_apart_by_as_many_folders_as_it_takes():
    assert told_apart([Path("/a/x"), Path("/b/x"), Path("/b/y")]) == ("a/x", "b/x", "y")
    assert told_apart([Path("/a/b/x"), Path("/c/b/x")]) == ("a/b/x", "c/b/x")
    assert told_apart([Path("/x")]) == ("x",)


def test_report_form(copies):
    value = json.loads(json.dumps(Report(histories(read_trained([run.root for run in copies[:2]]), NOW)).to_json()))
    assert (value["kind"], value["model"], value["data"]) == ("histories", None, None)
    first = value["result"]["runs"][0]
    one = history_report(read_trained([copies[0].root])[0]).to_json()
    assert {key: first[key] for key in one["result"]} == one["result"]
    assert (first["run_id"], first["arch"]) == (one["model"]["run_id"], one["model"]["arch"])
    assert (first["status"], first["epochs_planned"]) == ("finished", 2)


def test_only_the_metrics_that_were_asked_for(copies):
    result = histories(read_trained([run.root for run in copies]), NOW)
    assert "images" not in result.metrics
    cut = result.only({"val/loss", "lr"})
    assert cut.metrics == ("val/loss", "lr")
    for before, after in zip(result.runs, cut.runs, strict=True):
        assert after.history.best_epoch == before.history.best_epoch
        np.testing.assert_array_equal(after.history.column("lr"), before.history.column("lr"))


def test_every_run_without_an_epoch_is_named(tiny_run, copies, tmp_path):
    going = edited(tiny_run, tmp_path / "going", lambda rows: [], status="running")
    failed = edited(tiny_run, tmp_path / "failed", lambda rows: [], status="failed")
    failed.metrics.write_text("epoch,train/loss\n")
    with pytest.raises(ModelError) as raised:
        read_trained([going.root, copies[0].root, failed.root])
    assert f"{going.root} (running), {failed.root} (failed)" in raised.value.message
    with pytest.raises(ModelError) as raised:
        read_trained([failed.root])
    assert raised.value.hint == f"{failed.log} says why."


def test_a_column_that_one_run_lacks(tiny_run, tmp_path):
    older = edited(tiny_run, tmp_path / "older", lambda rows: [{"epoch": 1, "train/loss": 2.0}])
    report = history_report(read_trained([older.root])[0])
    assert isinstance(report.result, HistoryResult)
    assert report.result.metrics == ("train/loss",)
    assert report.result.best_epoch is None
    assert not report.result.measured("val/loss")
