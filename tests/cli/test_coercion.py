"""Values that do without pydantic are those that Typer's own coercion gives."""

import importlib
import os
from pathlib import Path
from typing import Any

import pytest
from typer import BadParameter
from typer.core import TyperOption
from typer.main import get_command

from clf_cli.cli.app import COMMAND_TABLE
from clf_cli.cli.coercion import Spared


def kinds() -> dict[str, Any]:
    """A parameter of each kind that any command has, by its annotation and bounds."""
    found = {}
    for _, _, module in COMMAND_TABLE:
        command: Any = get_command(importlib.import_module(f"clf_cli.cli.commands.{module}").app)
        for one in getattr(command, "commands", {"": command}).values():
            for parameter in one.params:
                described = parameter.type_descriptor
                info = described.parameter_info
                name = f"{described.annotation} {info.min} {info.max} {isinstance(parameter, TyperOption)}"
                found[name] = parameter
    return found


KINDS = kinds()
TEXTS = (
    "",
    "0",
    "1",
    "-1",
    "007",
    " 5",
    "1_0",
    "400",
    "401",
    "1.5",
    "true",
    "val",
    "VAL",
    "csv",
    "a/../b",
    "~",
    "x\0y",
)
VALUES = (*TEXTS, True, False, 3, 0, Path("a"), None, ["a", "1"], ("a", "b"), [], (), ["x\0y"], [1])


def outcome(coercion: Any, value: Any, parameter: Any) -> str:
    try:
        return repr(coercion.coerce(value, param=parameter, ctx=None))
    except BadParameter as error:
        return f"refused: {error}"


@pytest.mark.parametrize("name", KINDS)
def test_a_value_is_what_typer_makes_of_it(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("val").mkdir()
    parameter = KINDS[name]
    own = type(parameter).get_runtime_param(parameter)
    for value in VALUES:
        assert outcome(Spared(parameter), value, parameter) == outcome(own, value, parameter), value


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="all can be read here")
def test_what_cannot_be_read_is_refused_as_ever(tmp_path):
    secret = tmp_path / "secret"
    secret.touch(mode=0o000)
    parameter = next(one for one in KINDS.values() if one.type_descriptor.annotation is Path)
    own = type(parameter).get_runtime_param(parameter)
    assert outcome(Spared(parameter), str(secret), parameter) == outcome(own, str(secret), parameter)
    assert "readable" in outcome(own, str(secret), parameter)
