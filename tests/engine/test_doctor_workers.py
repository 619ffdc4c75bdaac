"""Reading processes and the memory that they share."""

import os
from collections import namedtuple

import pytest

from clf_cli.engine import doctor_workers
from clf_cli.engine.doctor_workers import _shared_memory, workers

Usage = namedtuple("Usage", "total used free")


def test_a_worker_answers_here():
    worker, _ = workers(1, 32)
    assert worker.status == "ok"


@pytest.mark.parametrize(("count", "status"), [(2, "problem"), (0, "warning")])
def test_one_that_dies_is_a_problem_where_workers_are_used(monkeypatch, count, status):
    monkeypatch.setattr(doctor_workers._OneBatch, "__getitem__", lambda self, index: os._exit(1))
    worker, _ = workers(count, 32)
    assert worker.status == status
    assert "does not work" in worker.value
    assert "--workers 0" in (worker.hint or "")


def test_other_values_are_noticed(monkeypatch):
    monkeypatch.setattr(doctor_workers._OneBatch, "__getitem__", lambda self, index: doctor_workers.np.zeros(3))
    assert "other values" in workers(1, 32)[0].value


@pytest.mark.parametrize(
    ("count", "side", "status"),
    [(0, 224, "ok"), (1, 224, "warning"), (8, 96, "warning"), (4, 96, "ok")],
)
def test_dockers_64_megabytes(monkeypatch, tmp_path, count, side, status):
    monkeypatch.setattr(doctor_workers.shutil, "disk_usage", lambda folder: Usage(64e6, 0, 64e6))
    check = _shared_memory(count, side, tmp_path)
    assert check.status == status
    assert check.value.startswith("64 MB free of 64 MB")
    assert ("shm-size" in (check.hint or "")) == (status == "warning")


def test_a_platform_without_a_limit(tmp_path):
    assert _shared_memory(4, 224, tmp_path / "nowhere").status == "ok"
