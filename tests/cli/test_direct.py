"""Command lines that are read without Typer mean what they mean to Typer."""

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as with_options
from hypothesis import strategies as st
from typer.core import TyperArgument
from typer.main import get_command

from clf_cli.cli import app as table
from clf_cli.cli import direct as door
from clf_cli.cli import predicting
from clf_cli.cli.commands import predict as command
from clf_cli.cli.predicting import Asked
from clf_cli.errors import ClfError

PARAMETERS: dict[str, Any] = {parameter.name: parameter for parameter in get_command(command.app).params}
OTHERS = {"print_config", "model", "images"}  # left to Typer, or words
WORDS = (
    *("model.onnx", "a.jpg", "-", "b c.png", "", "--", "-h", "--help", "--print-config", "--nonsense", "-x", "-vq"),
    *("-r", "--recursive", "--no-recursive", "-0", "--null", "--json", "-q", "--quiet", "-v", "--calibration"),
    *("--no-calibration", "--recursive=1", "-k", "3", "-k3", "0", "-1", "1.5", "--top", "--top=7", "--top=", "--to=3"),
    *("--format", "csv", "jsonl", "xml", "--format=table", "--labels", "names.txt", "--preprocess=p.toml", "--config"),
    *("other.toml", "-c", "--device", "cpu", "cuda:x", "--threads", "2", "--threads=auto", "--workers=-1", "-j", "9"),
    *("--on-bad-image", "skip", "--on-bad-image=perhaps", "--workers", "zwei"),
)


def test_the_table_is_that_of_the_command():
    own = {name: one for name, one in PARAMETERS.items() if "__" not in name and name not in OTHERS}
    assert set(door._ASKED) == set(own)
    assert {
        flag: (name, on) for name, one in own.items() for flags, on in _spellings(one) for flag in flags
    } == door._FLAGS
    for name, kind in door._ASKED.items():
        described = own[name].type_descriptor
        assert described.annotation == kind
        bounds = door._COUNTED if name == "top" else door._FREE
        assert {key: getattr(described.parameter_info, key) for key in vars(bounds)} == {
            **vars(bounds),
            "clamp": described.parameter_info.clamp,
        }
        assert not described.parameter_info.clamp


def _spellings(parameter: Any) -> list[tuple[list[str], bool]]:
    return [(parameter.opts, True), (parameter.secondary_opts, False)]


def test_what_is_not_given_is_the_same():
    common = {"config", "quiet", "verbose"}
    defaults = {one.name: one.default for one in fields(Asked) if one.name not in ("model", "images")}
    assert set(defaults) == set(door._ASKED) - common
    assert defaults == {name: PARAMETERS[name].default for name in defaults}
    assert isinstance(PARAMETERS["model"], TyperArgument)
    assert PARAMETERS["images"].nargs == -1


@pytest.fixture
def done(monkeypatch, tmp_path):
    """What the work was asked for, instead of the work."""
    for name in [name for name in os.environ if name.startswith("CLF_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    Path("other.toml").write_text("[compute]\nthreads = 3\n", encoding="utf-8")
    found: list[Any] = []
    monkeypatch.setattr(predicting, "predict_named", lambda resolved, asked: found.append((resolved, asked)))
    return found


def outcome(run: Any, found: list[Any]) -> Any:
    """What was asked for, or how it was refused."""
    found.clear()
    try:
        run()
    except ClfError as error:
        return error.message, error.hint
    assert len(found) == 1
    resolved, asked = found[0]
    return resolved, {**vars(asked), "images": list(asked.images)}


def compared(words: list[str], found: list[Any]) -> bool:
    """Whether Typer was not needed; then it would have done the same."""
    if door.read_plainly(words) is None:
        return False
    mine = outcome(lambda: door.direct(["predict", *words]), found)
    assert mine == outcome(lambda: table.run(["predict", *words]), found)
    return True


@pytest.mark.parametrize(
    "line",
    [
        "m.onnx a.jpg",
        "m.onnx a.jpg b.jpg -r -k 3",
        "--top=3 m.onnx --json a.jpg",
        "m.onnx - -0 -q",
        "m.onnx",
        "m.onnx a.jpg --no-calibration --calibration --format csv --format jsonl",
        "m.onnx a.jpg -c other.toml --workers 2 -j 3 --device cpu",
        "m.onnx a.jpg --labels l.txt --preprocess p.toml --on-bad-image=skip",
        "m.onnx a.jpg --workers zwei --device x --threads 0",
    ],
)
def test_usual_lines_need_no_typer(done, line):
    assert compared(line.split(), done)


@with_options(derandomize=True, deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(WORDS), max_size=7))
def test_any_line_means_the_same(tmp_path_factory, words):
    with pytest.MonkeyPatch.context() as patch:
        found: list[Any] = []
        patch.chdir(tmp_path_factory.getbasetemp())
        Path("other.toml").write_text("[compute]\nthreads = 3\n", encoding="utf-8")
        patch.setattr(predicting, "predict_named", lambda resolved, asked: found.append((resolved, asked)))
        compared(["model.onnx", *words], found)
        compared(words, found)


@pytest.mark.parametrize("words", ["", "m.onnx a.jpg -h", "m.onnx --print-config", "m.onnx -k3", "m.onnx -k", "-- m a"])
def test_what_is_unusual_is_left_to_typer(words):
    assert door.read_plainly(words.split()) is None


def test_other_commands_are_left_to_typer(monkeypatch):
    assert not door.direct(["evaluate", "m.onnx"])
    assert not door.direct([])
    monkeypatch.setenv("_CLF_COMPLETE", "complete_bash")
    assert not door.direct(["predict", "m.onnx", "a.jpg"])


@pytest.mark.skipif(sys.platform == "win32", reason="Typer reads all command lines there")
def test_a_mistake_is_told_without_typer_or_pydantic(tmp_path):
    code = (
        "import sys; from clf_cli.__main__ import main; code = main(['predict', 'none.onnx', 'a.jpg']);"
        "print(code, sorted({'rich.table', 'pydantic', 'torch', 'onnxruntime'} & set(sys.modules)))"
    )
    (tmp_path / "a.jpg").touch()
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    found = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert "There is no none.onnx." in found.stderr
    assert found.stdout == "4 []\n"
