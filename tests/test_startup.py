"""What a fresh interpreter imports before any work starts: help and usage errors must come at once."""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

from clf_cli.cli.app import COMMAND_TABLE

HEAVY = {
    "torch",
    "torchvision",
    "timm",
    "lightning",
    "numpy",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "onnxsim",
    "onnxscript",
}
SPARED = HEAVY | {"pydantic", "pydantic_core", "pydantic_settings", "markdown_it", "pygments", "importlib.metadata"}
EXISTING = [name for name, _, module in COMMAND_TABLE if find_spec(f"clf_cli.cli.commands.{module}")]
PROGRAM = """
import json, sys
from clf_cli.__main__ import main
code = main(sys.argv[1:])
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


def run(tmp_path, *arguments):
    """Exit code and modules of `clf arguments` in a fresh interpreter."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=True)
    code, modules = json.loads(done.stderr.splitlines()[-1])
    return code, set(modules)


def test_importing_the_program_is_what_is_measured(tmp_path):
    """The check itself: a module that is imported is seen."""
    program = "import numpy\n" + PROGRAM
    command = [sys.executable, "-c", program, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=True)
    assert "numpy" in json.loads(done.stderr.splitlines()[-1])[1]


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ("--version",), ("config", "--help")])
def test_help_imports_nothing_heavy(tmp_path, arguments):
    code, modules = run(tmp_path, *arguments)
    assert code == 0
    assert not modules & SPARED


@pytest.mark.parametrize("command", EXISTING)
def test_help_of_each_command_imports_nothing_heavy(tmp_path, command):
    code, modules = run(tmp_path, command, "--help")
    assert code == 0
    assert not modules & SPARED


@pytest.mark.parametrize("command", EXISTING)
def test_unknown_options_import_nothing_heavy(tmp_path, command):
    code, modules = run(tmp_path, command, "--no-such-option")
    assert code == 2
    assert not modules & SPARED


@pytest.mark.parametrize("arguments", [(), ("trian",), ("config", "shw"), ("train", "--lr"), ("train", "--quiet=3")])
def test_mistakes_that_need_no_settings_import_none(tmp_path, arguments):
    code, modules = run(tmp_path, *arguments)
    assert code == 2
    assert not modules & SPARED


@pytest.mark.parametrize(
    "arguments",
    [("config", "show", "--config", "nowhere.toml"), ("config", "show", "trian")],
)
def test_usage_errors_import_nothing_heavy(tmp_path, arguments):
    code, modules = run(tmp_path, *arguments)
    assert code == 2
    assert not modules & HEAVY


@pytest.mark.skipif("train" not in EXISTING, reason="no train command yet")
@pytest.mark.parametrize(
    "arguments",
    [("--lr", "fast"), ("--arch", "resnt18"), ("--config", "nowhere.toml"), ("--weights", "a", "--init-from", "b")],
)
def test_wrong_settings_import_nothing_heavy(tmp_path, arguments):
    code, modules = run(tmp_path, "train", "--data", "nowhere", *arguments)
    assert code == 2
    assert not modules & HEAVY


@pytest.mark.parametrize("arguments", [("config", "show"), ("config", "show", "train"), ("config", "schema")])
def test_config_imports_nothing_heavy(tmp_path, arguments):
    code, modules = run(tmp_path, *arguments)
    assert code == 0
    assert not modules & HEAVY


def test_a_command_runs_with_garbage_collected(tmp_path):
    """The start turns the collector off: it must be on again when the work begins."""
    program = (
        "import gc, sys; from clf_cli.__main__ import main; "
        "sys.argv = ['clf', 'models', 'resnet18']; code = main(); sys.exit(code or not gc.isenabled())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=tmp_path, timeout=60, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(("arguments", "code"), [(("--version",), 0), (("train", "--no-such-flag"), 2)])
def test_the_process_ends_as_python_would_end_it(tmp_path, arguments, code, late):
    """Threads are waited for, each exit function is called once, what was printed arrives."""
    program = f"""
import atexit, sys, threading, time
atexit.register(print, "before")
from clf_cli.__main__ import main
def work():
    time.sleep(0.3)
    print("thread")
    if {late}:
        atexit.register(print, "meanwhile")
threading.Thread(target=work).start()
sys.argv = ["clf", *{arguments!r}]
sys.exit(main())
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.returncode == code
    expected = ["thread", *(["meanwhile"] if late else []), "before"]
    assert done.stdout.splitlines()[-len(expected) :] == expected
    assert done.stdout.count("before") == 1
