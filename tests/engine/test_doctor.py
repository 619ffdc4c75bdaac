"""What `clf doctor` finds, and when it says no."""

import json
import os
from pathlib import Path

import pytest

from clf_cli.engine.doctor import DoctorResult, doctor
from clf_cli.engine.doctor_check import Check, gigabytes
from clf_cli.errors import CheckFailedError
from clf_cli.values.progress import silent
from clf_cli.values.report import Report

FINE, SLOW = Check("a", "one", "1"), Check("a", "two", "2", "warning", "Do this.")
BAD, WORSE = Check("b", "three", "3", "problem"), Check("b", "three", "4", "problem", "Do that.")


def test_warnings_are_no_problems():
    result = DoctorResult({}, (FINE, SLOW))
    assert result.to_result()["usable"]
    result.raise_if_unusable()


def test_a_problem_is_a_no_that_names_it():
    result = DoctorResult({}, (FINE, BAD, SLOW, WORSE))
    assert not result.to_result()["usable"]
    with pytest.raises(CheckFailedError, match=r"\(b: three\)") as caught:
        result.raise_if_unusable()
    assert (caught.value.exit_code, caught.value.hint) == (1, "Do that.")


def test_bytes_for_people():
    assert [gigabytes(count) for count in (0, 64e6, 999e6, 25.34e9)] == ["0 MB", "64 MB", "999 MB", "25.3 GB"]


def test_this_machine(tmp_path, monkeypatch):
    """It may warn here, but it has looked at everything, told the truth, and left nothing behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLF_OPTIM__EPOCHS", "3")
    report = json.loads(json.dumps(Report(doctor(silent)).to_json()))
    checks = {(check["group"], check["name"]): check for check in report["result"]["checks"]}
    assert report["kind"] == "doctor"
    assert {group for group, _ in checks} == {"software", "hardware", "workers", "folders", "settings"}
    assert report["result"]["versions"]["torch"]
    assert "CLF_OPTIM__EPOCHS='3'" in checks["settings", "variables"]["value"]
    assert "hands over a batch" in checks["workers", "one worker"]["value"]
    assert list(Path().iterdir()) == []
    assert os.environ["CLF_CACHE_DIR"] in checks["folders", "cache"]["value"]
