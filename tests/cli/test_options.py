"""From declarations to options: what a person types reaches the command, and nothing is written down twice."""

import re
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from clf_cli.cli.options import JsonOption, ModelArgument, SplitOption, configured
from clf_cli.errors import UsageError
from clf_cli.settings.load import read_settings
from clf_cli.settings.resolved import Resolved
from clf_cli.settings.root import COMMANDS, Settings, settings_of


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def train():
    """Runs a train command with the given arguments and returns what reached its function."""
    app, reached = typer.Typer(), []

    @app.command()
    @configured("train")
    def command(resolved: Resolved, as_json: JsonOption = False) -> None:
        """Train."""
        reached.append((resolved, as_json))

    def run(*arguments):
        result = CliRunner().invoke(app, [*arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return reached[-1] if reached else result.output

    return run


def test_flags_reach_the_command(train):
    resolved, as_json = train("--lr", "0.1", "-b", "8", "--augment", "ocr", "--data", "a b", "--json")
    settings = resolved.settings
    assert (settings.optim.lr, settings.optim.batch_size, settings.augment.preset) == (0.1, 8, "ocr")
    assert settings.data.root == Path("a b")
    assert as_json
    assert set(resolved.origin) == {"optim.lr", "optim.batch_size", "augment.preset", "data.root"}


def test_without_flags_nothing_is_given(train):
    resolved, as_json = train()
    assert resolved.settings == Settings()
    assert resolved.origin == {}
    assert not as_json


def test_switches_have_three_states(train):
    assert train("--flip")[0].settings.augment.flip is True
    assert train("--no-flip")[0].settings.augment.flip is False
    assert train()[0].settings.augment.flip is None
    assert train("--no-val")[0].settings.train.val is False
    assert train("--no-ema")[0].settings.ema.enabled is False
    assert train("--no-export")[0].settings.export.enabled is False
    assert train("--deterministic")[0].settings.compute.deterministic is True


def test_a_switch_equal_to_its_default_beats_the_file(train):
    Path("clf.toml").write_text("[ema]\nenabled = false\n", encoding="utf-8")
    assert train()[0].settings.ema.enabled is False
    assert train("--ema")[0].settings.ema.enabled is True


def test_a_number_or_a_word(train):
    assert train("--threads", "3", "--workers", "auto")[0].settings.compute.threads == 3
    assert train("--warmup-epochs", "0.5")[0].settings.optim.warmup_epochs == 0.5


def test_sections_of_another_command_take_their_name_as_prefix(train):
    settings = train("--ema-decay", "0.9", "--export-opset", "20", "--export-simplify")[0].settings
    assert (settings.ema.decay, settings.export.opset, settings.export.simplify) == (0.9, 20, True)


def test_every_switch_of_train_can_be_turned_both_ways(train):
    for setting in settings_of("train"):
        if setting.is_switch:
            on, off = setting.flags[0].split("/")
            for flag, value in ((on, True), (off, False)):
                alone = ["--no-export"] if flag == "--no-checkpoints" else []
                settings = train(flag, *alone)[0].settings
                assert dict(dict(settings)[setting.section])[setting.key] is value


def test_mistakes_are_usage_errors_that_come_all_at_once(train):
    with pytest.raises(UsageError) as caught:
        train("--lr", "fast", "--threads", "many", "--data", "")
    assert caught.value.message.splitlines() == [
        "--data: it is empty; leave it out to get the default.",
        "--lr: expected a number > 0, got 'fast'.",
        "--threads: expected a whole number > 0, or auto, got 'many'.",
    ]


def test_an_unknown_architecture_stops_before_the_command(train):
    with pytest.raises(UsageError, match="resnt18"):
        train("--arch", "resnt18")


def test_config_names_the_file(train):
    Path("other.toml").write_text("[optim]\nlr = 0.5\n", encoding="utf-8")
    resolved, _ = train("-c", "other.toml", "--epochs", "3")
    assert (resolved.settings.optim.lr, resolved.settings.optim.epochs) == (0.5, 3)


def test_print_config_prints_a_file_that_gives_the_same_settings(train):
    printed = train("--lr", "0.3", "--no-flip", "--data", 'a "b"', "--print-config")
    Path("again.toml").write_text(printed, encoding="utf-8")
    settings = read_settings(Path("again.toml"))
    assert (settings.optim.lr, settings.augment.flip, settings.data.root) == (0.3, False, Path('a "b"'))
    assert "[synth]" not in printed  # not a setting of this command
    assert train("--config", "again.toml")[0].settings == settings


def test_notes_are_said_on_stderr(monkeypatch, capsys, train):
    Path("other.toml").write_text("[optim]\nlr = 0.5\n", encoding="utf-8")
    monkeypatch.setenv("CLF_OPTIM__LR", "0.1")
    app = typer.Typer()
    app.command()(configured("train")(_takes_settings))
    result = CliRunner().invoke(app, ["-c", "other.toml"])
    assert "The environment overrides other.toml: CLF_OPTIM__LR." in result.stderr
    assert result.stdout == ""
    assert CliRunner().invoke(app, ["-c", "other.toml", "-q"]).stderr == ""


def _takes_settings(settings: Settings) -> None:
    """Take settings."""
    assert isinstance(settings, Settings)


def test_other_parameters_pass_through():
    app, reached = typer.Typer(), []

    @app.command()
    @configured("confusion")
    def command(model: ModelArgument, settings: Settings, split: SplitOption = "val") -> None:
        """Look at a model."""
        reached.append((model, settings.compute.device, split))

    assert CliRunner().invoke(app, ["runs/x", "--split", "test", "--device", "cpu"]).exit_code == 0
    assert reached == [(Path("runs/x"), "cpu", "test")]
    assert CliRunner().invoke(app, []).exit_code == 2
    assert CliRunner().invoke(app, ["runs/x", "--split", "vale"]).exit_code == 2


def test_two_options_with_one_flag_are_refused_at_once():
    with pytest.raises(AssertionError, match="--lr"):

        @configured("train")
        def command(settings: Settings, rate: Annotated[float, typer.Option("--rate", "--lr")] = 0.0) -> None:
            """Collide."""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_setting_of_a_command_is_in_its_help(command):
    app = typer.Typer()
    app.command()(configured(command)(_takes_settings))
    wide = {"COLUMNS": "300", "TERM": "dumb"}
    text = re.sub(r"\s+", " ", CliRunner().invoke(app, ["--help"], env=wide).output)
    for setting in settings_of(command):
        assert setting.flag in text
        assert (setting.field.description or "") in text
        assert f"[{setting.section}] · CLF_{setting.section.upper()}__*" in text
