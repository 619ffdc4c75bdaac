"""clf doctor."""

import json
from pathlib import Path

import pytest

from tests.running import Clf


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_this_machine_can_run_clf(clf: Clf):
    done = clf("doctor")
    assert done.code == 0, done.stderr
    assert done.stderr == ""
    for words in ("software", "libraries", "hardware", "workers", "folders", "settings"):
        assert words in done.stdout


def test_json(clf: Clf):
    done = clf("doctor", "--json", "-q")
    report = json.loads(done.stdout)
    assert (report["kind"], report["model"], report["data"], report["result"]["usable"]) == ("doctor", None, None, True)
    assert {"group", "name", "value", "status", "hint"} == set(report["result"]["checks"][0])


def test_settings_that_stop_every_other_command_are_told_and_exit_1(clf: Clf, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLF_OPTIM_LR", "1")
    assert clf("config", "show").code == 2
    done = clf("doctor", "--json")
    assert done.code == 1
    assert not json.loads(done.stdout)["result"]["usable"]
    assert "settings: mistake" in done.stderr


def test_runs_that_cannot_be_written(clf: Clf, monkeypatch: pytest.MonkeyPatch):
    Path("blocked").write_text("")
    monkeypatch.setenv("CLF_TRAIN__OUT", "blocked/runs")
    done = clf("doctor")
    assert done.code == 1
    assert "folders: runs" in done.stderr
    assert "--out" in done.stderr


def test_it_takes_no_arguments(clf: Clf):
    assert clf("doctor", "everything").code == 2
