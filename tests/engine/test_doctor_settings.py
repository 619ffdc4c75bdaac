"""Settings files and variables."""

from pathlib import Path

import pytest

from clf_cli.engine.doctor_settings import READ_TOO, settings_checks


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in READ_TOO:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("CLF_CACHE_DIR", raising=False)


def lines():
    checks, _ = settings_checks()
    return [(check.name, check.value, check.status) for check in checks]


def test_nothing_is_set():
    assert lines() == [
        ("file", "none: neither clf.toml nor [tool.clf] in pyproject.toml is here", "ok"),
        ("variables", "no CLF_* is set", "ok"),
    ]


def test_files_and_variables(monkeypatch):
    Path("clf.toml").write_text("[optim]\nlr = 0.1\n[compute]\nworkers = 3\n")
    monkeypatch.setenv("CLF_OPTIM__LR", "0.2")
    monkeypatch.setenv("CLF_CACHE_DIR", "cache\n")
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    monkeypatch.setenv("HF_TOKEN", "secret")
    assert lines() == [
        ("file", "clf.toml", "ok"),
        ("variables", r"CLF_CACHE_DIR='cache\n', CLF_OPTIM__LR='0.2'", "ok"),
        ("other variables", "OMP_NUM_THREADS='4'", "ok"),
    ]
    assert settings_checks()[1].compute.workers == 3


def test_a_table_of_a_project():
    Path("pyproject.toml").write_text("[tool.clf.train]\nout = 'elsewhere'\n")
    assert lines()[0] == ("file", "pyproject.toml", "ok")
    assert settings_checks()[1].train.out == Path("elsewhere")


def test_a_file_that_sets_nothing():
    Path("clf.toml").write_text("")
    assert lines()[0] == ("file", "clf.toml sets nothing", "ok")


def test_two_files_are_a_warning():
    Path("clf.toml").write_text("[optim]\nlr = 0.1\n")
    Path("pyproject.toml").write_text("[tool.clf.optim]\nlr = 0.1\n")
    assert ("file", "clf.toml is here, so [tool.clf] in pyproject.toml is not read.", "warning") in lines()


def test_every_mistake_is_a_problem_and_the_defaults_are_taken(monkeypatch):
    Path("clf.toml").write_text("[optim]\nlrr = 0.1\nepochs = 3\n")
    monkeypatch.setenv("CLF_OPTIM_LR", "0.2")
    monkeypatch.setenv("CLF_COMPUTE__THREADS", "many")
    monkeypatch.setenv("CLF_DATA__ROOT", "jerseys")
    found = lines()
    problems = [value for _, value, status in found if status == "problem"]
    assert [problem.partition(":")[0] for problem in problems] == [
        "optim.lrr in clf.toml",
        "CLF_OPTIM_LR",
        "CLF_COMPUTE__THREADS",
    ]
    assert found[-1] == ("variables", "CLF_DATA__ROOT='jerseys'", "ok")
    checks, settings = settings_checks()
    assert [bool(check.hint) for check in checks if check.status == "problem"] == [False, False, True]
    assert settings.optim.epochs == 30


def test_a_file_that_is_no_toml_is_a_problem():
    Path("clf.toml").write_text("[optim\n")
    assert lines()[0][2] == "problem"
