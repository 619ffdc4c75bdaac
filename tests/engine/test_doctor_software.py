"""Versions that are there, too old, or missing."""

from importlib.metadata import PackageNotFoundError

import pytest

from clf_cli.engine import doctor_software
from clf_cli.engine.doctor_software import software, versions

REQUIRED = [
    "torch>=2.10",
    "torchvision>=0.25",
    "typer<0.30,>=0.29",
    "left-out>=1; platform_system == 'Windows'",
    "tensorboard>=2.18; extra == 'tensorboard'",
    "sqlalchemy>=2; extra == 'mlflow'",
]
PINNED = {"torchvision": ["torch==2.15.0", "numpy", "left==1; extra == 'scipy'"]}


@pytest.fixture
def installed(monkeypatch):
    """Makes the machine have these packages."""

    def have(**numbers):
        def version(name):
            if name not in numbers:
                raise PackageNotFoundError(name)
            return numbers[name]

        monkeypatch.setattr(
            doctor_software, "requires", lambda name: REQUIRED if name == "clf-cli" else PINNED.get(name)
        )
        monkeypatch.setattr(doctor_software, "version", version)
        return {check.name: check for check in software()}

    return have


def test_all_is_there(installed):
    found = installed(torch="2.15.0+cpu", torchvision="0.29", typer="0.29.1", tensorboard="2.20")
    assert found["libraries"].value == "torch 2.15.0+cpu, torchvision 0.29, typer 0.29.1"
    assert found["optional parts"].value == (
        "tensorboard 2.20, mlflow is not installed (pip install 'clf-cli[mlflow]')"
    )
    assert "problem" not in {check.status for check in found.values()}


@pytest.mark.parametrize("torch", ["2.9.1", "1.13"])
def test_too_old(installed, torch):
    check = installed(torch=torch, typer="0.29.1")["torch"]
    assert (check.status, check.hint) == ("problem", "pip install 'torch>=2.10'")
    assert check.value == f"{torch}, clf needs >=2.10"


def test_built_for_another(installed):
    check = installed(torch="2.14.1", torchvision="0.29", typer="0.29.1")["torchvision"]
    assert (check.status, check.value) == ("problem", "0.29 is built for torch 2.15.0, here is 2.14.1")


def test_too_new(installed):
    assert installed(torch="2.10", typer="0.30.0")["typer"].status == "problem"


def test_missing(installed):
    check = installed(typer="0.29.5")["torch"]
    assert (check.value, check.status) == ("is not installed", "problem")


def test_a_clf_that_is_no_package(monkeypatch):
    def gone(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doctor_software, "requires", gone)
    found = {check.name: check for check in software()}
    assert found["libraries"].status == "warning"
    assert set(versions()) == {"python", "clf"}


def test_the_versions_of_this_machine():
    assert {"torch", "timm", "lightning", "onnxruntime", "pillow"} <= {
        name for name, there in versions().items() if there
    }


def test_another_platform_is_said_to_be_untested(monkeypatch):
    monkeypatch.setattr(doctor_software.platform, "system", lambda: "Darwin")
    found = {check.name: check for check in software()}
    assert (found["platform"].status, found["platform"].hint) == ("warning", "clf is tested on Linux only.")
