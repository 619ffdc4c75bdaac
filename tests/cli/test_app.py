"""The process: exit codes, streams and messages of `clf` as a person meets them."""

import inspect
import json
import os
import subprocess
import sys
import tomllib
from importlib.util import find_spec

import pytest
from typer.main import get_command

from clf_cli import __version__
from clf_cli.__main__ import main
from clf_cli.cli import app as table
from clf_cli.cli.commands import config
from clf_cli.errors import CheckFailedError, DataError, UsageError
from clf_cli.settings.root import COMMANDS, Settings, settings_of


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("GITHUB_ACTIONS", "FORCE_COLOR", "PY_COLORS", "CLF_OPTIM__LR"):
        monkeypatch.delenv(name, raising=False)


def written(name):
    return find_spec(f"clf_cli.cli.commands.{name}") is not None


EXISTING = [row for row in table.COMMAND_TABLE if written(row[2])]


def clf(*arguments, **keywords):
    command = [sys.executable, "-m", "clf_cli", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False, **keywords
    )


# The table


def test_every_command_with_settings_is_in_the_table():
    """But for those that show settings, or look at them."""
    assert set(COMMANDS) == {name for name, _, _ in table.COMMAND_TABLE} - {"config", "doctor"}


@pytest.mark.parametrize(("name", "line", "module"), EXISTING)
def test_help_lines_equal_the_docstrings(name, line, module):
    real = get_command(__import__(f"clf_cli.cli.commands.{module}", fromlist=["app"]).app)
    assert inspect.cleandoc(real.help or "").splitlines()[0] == line


@pytest.mark.parametrize(("name", "line", "module"), EXISTING)
@pytest.mark.parametrize("width", [80, 100])
def test_help_fits_and_cuts_nothing_off(capsys, monkeypatch, name, line, module, width):
    monkeypatch.setenv("COLUMNS", str(width))
    assert main([name, "-h"]) == 0
    text = capsys.readouterr().out
    assert "…" not in text
    assert max(len(row) for row in text.splitlines()) <= width
    assert line.split()[0] in text


def test_version_and_help(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"clf {__version__}\n"
    assert main(["-h"]) == main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name, _, _ in table.COMMAND_TABLE)


def test_no_arguments_print_the_help(capsys):
    assert main([]) == 2
    captured = capsys.readouterr()
    assert "inspect-dataset" in captured.out + captured.err


def test_python_m_clf_cli_is_clf():
    done = clf("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"clf {__version__}\n", "")


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["confg"], "Did you mean 'config'?"),
        (["config", "shw"], "Did you mean 'show'?"),
        (["config", "show", "--confg", "x"], "--config"),
        (["config", "show", "trian"], "No command 'trian' has settings"),
        (["config", "show", "-c", "nowhere.toml"], "No settings file nowhere.toml"),
    ],
)
def test_usage_errors_are_exit_2_on_stderr(capsys, arguments, message):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


def test_a_misspelt_variable_is_exit_2(capsys, monkeypatch):
    monkeypatch.setenv("CLF_OPTIM_LR", "1")
    assert main(["config", "show"]) == 2
    assert "CLF_OPTIM_LR: no such variable; did you mean CLF_OPTIM__LR?" in capsys.readouterr().err


@pytest.fixture
def raising(monkeypatch):
    """Makes `clf config schema` raise."""

    def replace(error):
        def fail(*_):
            raise error

        monkeypatch.setattr(config, "write_line", fail)
        return main(["config", "schema"])

    return replace


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("No such thing.", "Try another."), 2),
        (DataError("No images."), 3),
        (CheckFailedError("It differs."), 1),
    ],
)
def test_an_expected_failure_is_its_message_hint_and_code(capsys, raising, error, code):
    assert raising(error) == code
    lines = [f"Error: {error.message}", *([error.hint] if error.hint else [])]
    assert capsys.readouterr().err.splitlines() == lines


def test_a_bug_is_a_traceback_exit_70_and_how_to_report_it(capsys, raising):
    assert raising(ZeroDivisionError("surprise")) == 70
    text = capsys.readouterr().err
    assert "ZeroDivisionError: surprise" in text
    assert f"This is a bug in clf {__version__}" in text
    assert "report" in text


def test_an_interrupt_is_exit_130_without_a_traceback(capsys, raising):
    assert raising(KeyboardInterrupt()) == 130
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="pipes close differently elsewhere")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["config", "schema"], ["--help"]])
def test_a_reader_that_leaves_early_hears_nothing(unbuffered, arguments):
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "clf_cli", *arguments],
            stdout=write,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            timeout=60,
            check=False,
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")  # noqa: PTH110
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_under_stdout_is_exit_6(unbuffered):
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "clf_cli", "config", "schema"],
            stdout=full,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            timeout=60,
            check=False,
        )
    assert done.returncode == 6
    assert done.stderr.decode().startswith("Error: Cannot write the result to stdout: ")
    assert b"Traceback" not in done.stderr


# clf config


def test_config_show_prints_values_with_their_source(capsys, tmp_path, monkeypatch):
    (tmp_path / "clf.toml").write_text("[optim]\nepochs = 3\n", encoding="utf-8")
    monkeypatch.setenv("CLF_OPTIM__LR", "0.1")
    assert main(["config", "show"]) == 0
    text = capsys.readouterr().out
    assert "lr = 0.1  # CLF_OPTIM__LR" in text
    assert "epochs = 3  # clf.toml" in text
    assert "batch_size = 32  # default" in text
    assert set(tomllib.loads(text)) == set(Settings.model_fields)


@pytest.mark.parametrize("command", COMMANDS)
def test_config_show_of_a_command_prints_its_settings_only(capsys, command):
    assert main(["config", "show", command]) == 0
    printed = tomllib.loads(capsys.readouterr().out)
    assert set(printed.get("optim", {})) == {
        setting.key for setting in settings_of(command) if setting.section == "optim"
    }
    assert ("lr" in printed.get("optim", {})) == (command in ("train", "verify-resume", "benchmark"))
    assert ("synth" in printed) == (command == "synth")


def test_config_schema_knows_every_section(capsys):
    assert main(["config", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert set(schema["properties"]) == set(Settings.model_fields)
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["OptimSection"]["properties"]["lr"]["exclusiveMinimum"] == 0


def test_architectures_complete_in_the_shell():
    if not written("train"):
        pytest.skip("no train command yet")
    words = {"_CLF_COMPLETE": "complete_bash", "COMP_WORDS": "clf train --arch resnet1", "COMP_CWORD": "3"}
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from clf_cli.__main__ import main; sys.exit(main())"],
        capture_output=True,
        text=True,
        env={**os.environ, **words},
        timeout=60,
        check=False,
    )
    assert "resnet18" in done.stdout.split()
