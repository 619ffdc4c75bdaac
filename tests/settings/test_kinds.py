"""What a setting takes, in words, read from the declaration."""

from pathlib import Path

import pytest

from clf_cli.settings.kinds import bounds, choices, expected, metavar, shown
from clf_cli.settings.root import SECTIONS, Setting, all_settings
from clf_cli.settings.section import Section


@pytest.mark.parametrize(
    ("path", "words", "name"),
    [
        ("optim.lr", "a number > 0", "NUMBER"),
        ("optim.label_smoothing", "a number ≥ 0 and < 1", "NUMBER"),
        ("compute.threads", "a whole number > 0, or auto", "INT|auto"),
        ("model.image_size", "a whole number ≥ 8 and ≤ 2048", "INT"),
        ("optim.balance", "none, loss, sampler or both", "none|loss|sampler|both"),
        ("augment.flip", "true or false", "BOOL"),
        ("compute.device", "auto, cpu, cuda, cuda:1 or mps", "DEVICE"),
        ("data.root", "a path", "DIR"),
        ("train.name", "text", "NAME"),
    ],
)
def test_words_for_messages_and_help(path, words, name):
    setting = Setting(*path.split("."))
    assert expected(setting) == words
    assert metavar(setting) == name


def test_bounds_and_choices():
    assert bounds(Setting("compute", "threads")) == "> 0"
    assert bounds(Setting("model", "arch")) == ""
    assert bounds(Setting("validate_onnx", "batch_sizes")) == "> 0, ≤ 1024"
    assert choices(Setting("compute", "threads")) == ("auto",)
    assert choices(Setting("optim", "lr")) == ()


def test_every_setting_has_words():
    assert all(expected(setting) and metavar(setting) for setting in all_settings())


def test_lists(monkeypatch):
    class ListSection(Section):
        names: list[str] | None = None
        mean: tuple[float, ...] = ()

    monkeypatch.setitem(SECTIONS, "lists", ListSection)
    assert Setting("lists", "names").is_list
    assert Setting("lists", "mean").is_list
    assert not Setting("optim", "lr").is_list
    assert expected(Setting("lists", "mean")) == "a list of values, each a number"
    words = "a list of values, each a whole number > 0 and ≤ 1024"
    assert expected(Setting("validate_onnx", "batch_sizes")) == words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (0.001, "0.001"),
        (Path("a") / "b", "a/b"),
        ((1, 2), "1,2"),
        ("x", "x"),
    ],
)
def test_values_as_flags_spell_them(value, text):
    assert shown(value) == text
