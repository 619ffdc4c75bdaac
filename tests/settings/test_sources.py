import pytest

from clf_cli.errors import ModelError
from clf_cli.settings.load import read_settings
from clf_cli.settings.resolved import COMMAND_LINE, to_toml
from clf_cli.settings.root import Settings, all_settings
from clf_cli.settings.sections import OptimSection, TrainSection
from clf_cli.settings.sources import stored_settings


def of(tmp_path, text):
    (tmp_path / "settings.toml").write_text(text, encoding="utf-8")
    return {setting.path: setting for setting in stored_settings(tmp_path / "settings.toml")}


def test_every_setting_comes_back_with_its_source(tmp_path):
    settings = Settings(optim=OptimSection(lr=0.01), train=TrainSection(name="a # b", tracker=("csv", "mlflow")))
    origin = {"optim.lr": COMMAND_LINE, "train.name": 'CLF_TRAIN__NAME "  # x', "optim.epochs": "a  # b.toml"}
    found = of(tmp_path, to_toml(settings, origin))
    assert list(found) == [setting.path for setting in all_settings()]
    assert (found["optim.lr"].value, found["optim.lr"].default, found["optim.lr"].source) == (
        "0.01",
        "0.001",
        COMMAND_LINE,
    )
    assert found["train.name"].value == "a # b"  # a repeat does not take it over, but it was set
    assert found["train.tracker"].value == "csv,mlflow"
    assert found["data.subset"].source == "default"
    assert {path for path, setting in found.items() if setting.changed} == {"optim.lr", "train.name", "train.tracker"}


def test_what_is_equal_to_the_default_is_no_change_whoever_set_it(tmp_path):
    assert not of(tmp_path, to_toml(Settings(), {"optim.lr": COMMAND_LINE}))["optim.lr"].changed


def test_a_run_of_training(tiny_run):
    settings = read_settings(tiny_run.settings)
    found = {setting.path: setting for setting in stored_settings(tiny_run.settings)}
    assert found["model.arch"].value == settings.model.arch
    assert found["model.arch"].source == COMMAND_LINE
    assert found["train.name"].value == "tiny"


def test_settings_that_this_clf_does_not_know_are_shown_as_changed(tmp_path):
    found = of(tmp_path, "[later]\nknob = 3  # command line\n")
    assert found["later.knob"].changed
    assert found["later.knob"].default is None


@pytest.mark.parametrize("text", ["[optim]\nlr = nonsense  # default\n", None])
def test_what_is_no_settings_file_is_named(tmp_path, text):
    with pytest.raises(ModelError, match=r"settings\.toml cannot be read"):
        stored_settings(tmp_path / "settings.toml") if text is None else of(tmp_path, text)
