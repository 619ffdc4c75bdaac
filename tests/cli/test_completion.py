"""What the shell is told, as its own scripts ask for it."""

import json
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from typer.core import TyperArgument
from typer.main import get_command

from clf_cli.cli.app import COMMAND_TABLE
from clf_cli.cli.completion import complete_device, complete_model, complete_model_or_arch, complete_run
from clf_cli.values.run_dir import RunDir
from tests.running import mark

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, sys
from clf_cli.__main__ import main
code = main()
print(json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]), file=sys.stderr)
"""
NAMES_A_MODEL = {"MODEL", "A", "B", "CKPT", "RUN", "RUN|CKPT", "OTHER", "ARCH|MODEL"}


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs, one of them with a name that needs quotes, and files of models."""
    monkeypatch.chdir(tmp_path)
    for name in ("runs/jersey", "runs/jersey-2", "runs/my run", "old/grocery"):
        Path(name).mkdir(parents=True)
        mark(RunDir(Path(name)))
    for name in ("grocery.onnx", "last.ckpt", "notes.txt", "runs/jersey/model.onnx"):
        Path(name).write_text("")
    Path("runs/empty").mkdir()


def ask(shell: str, line: str) -> tuple[list[str], set[str]]:
    """What a fresh process answers for a line whose last word is begun, and the modules that it imported."""
    words = line.split(" ")
    questions = {
        "bash": {"_CLF_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
        "zsh": {"_CLF_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": line},
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, **questions[shell], "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=True,
    )
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == 0
    return done.stdout.splitlines(), set(modules)


# The names


@pytest.mark.parametrize(
    ("incomplete", "expected"),
    [
        ("", ["runs/jersey", "runs/jersey-2"]),
        ("ru", ["runs/jersey", "runs/jersey-2"]),
        ("runs/jersey-", ["runs/jersey-2"]),
        ("old/", ["old/grocery"]),
        ("runs/x", []),
        ("nowhere/", []),
    ],
)
def test_runs(incomplete: str, expected: list[str]):
    assert complete_run(incomplete) == expected


def test_runs_from_within_their_folder(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir("runs")
    assert complete_run("je") == ["jersey", "jersey-2"]


def test_models_are_runs_and_files():
    assert complete_model("") == ["runs/jersey", "runs/jersey-2", "grocery.onnx", "last.ckpt"]
    assert complete_model("runs/jersey/") == ["runs/jersey/model.onnx"]
    assert complete_model("note") == []


def test_architectures_wait_for_a_letter():
    assert complete_model_or_arch("") == complete_model("")
    assert "resnet18" in complete_model_or_arch("resnet1")
    assert "grocery.onnx" in complete_model_or_arch("g")


def test_devices():
    assert complete_device("c") == ["cpu", "cuda"]


@pytest.mark.parametrize("module", [module for _, _, module in COMMAND_TABLE])
def test_every_argument_that_names_a_model_completes(module: str):
    command = get_command(import_module(f"clf_cli.cli.commands.{module}").app)
    for parameter in getattr(command, "params", []):
        if parameter.metavar in NAMES_A_MODEL and (isinstance(parameter, TyperArgument) or parameter.metavar != "CKPT"):
            assert parameter._custom_shell_complete is not None, parameter.name


# The process


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("clf ev", ["evaluate"]),
        ("clf train --ar", ["--arch"]),
        ("clf train --no-ex", ["--no-export", "--no-export-simplify"]),
        ("clf train --arch resnet18", ["resnet18", "resnet18d"]),
        ("clf train --optimizer ", ["adamw", "sgd"]),
        ("clf train --resume ", ["runs/jersey", "runs/jersey-2"]),
        ("clf train --device m", ["mps"]),
        ("clf train --weights ", [""]),  # none: the shell's own paths
        ("clf confusion ", ["runs/jersey", "runs/jersey-2", "grocery.onnx", "last.ckpt"]),
        ("clf confusion runs/jersey --split t", ["train", "test"]),
        ("clf models --sort ", ["name", "parameters"]),
        ("clf inspect-dataset --fail-on leak,CLF40", ["leak,CLF401", "leak,CLF402"]),
        ("clf config sh", ["show"]),
        ("clf config show dem", ["demo"]),
    ],
)
def test_bash(line: str, expected: list[str]):
    found, modules = ask("bash", line)
    assert found == expected
    assert not modules & {"torch", "timm", "numpy", "lightning", "onnxruntime", "matplotlib", "pydantic_settings"}


def test_zsh():
    found, modules = ask("zsh", "clf train --arch resnet18")
    assert found[0] == '_arguments \'*: :(("resnet18"'
    assert ask("zsh", "clf train --weights ")[0] == ["_files"]
    assert "torch" not in modules


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_script_for_bash_works_in_bash(tmp_path: Path):
    """As after `source`: the function that it defines, called as bash calls it on Tab."""
    program = tmp_path / "bin" / "clf"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m clf_cli "$@"\n')
    program.chmod(0o755)
    script = (
        'eval "$(_CLF_COMPLETE=source_bash clf)"; complete -p clf; '
        'COMP_WORDS=(clf evaluate runs/j); COMP_CWORD=2; _clf_completion clf; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    environment = {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "--norc", "-c", script], capture_output=True, text=True, env=environment, timeout=60, check=True
    )
    assert done.stdout.splitlines() == [
        "complete -o default -F _clf_completion clf",
        "runs/jersey",
        "runs/jersey-2",
    ]
