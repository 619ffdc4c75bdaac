"""The listing of settings that the help reads instead of their declarations."""

import json
from pathlib import Path

import pytest

from clf_cli.settings import option
from clf_cli.settings.listing import declared, listing
from clf_cli.settings.option import options_of
from clf_cli.settings.root import COMMANDS, settings_of


def test_the_listing_is_of_the_declarations():
    """`python -m clf_cli.settings.listing` writes it."""
    assert option.LISTING.read_text(encoding="utf-8") == listing()


def test_the_listing_says_what_the_declarations_say():
    assert option.listed() == declared()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_the_same_flags_either_way(command):
    assert [(o.path, o.flags, o.flag, o.is_switch) for o in options_of(command)] == [
        (s.path, s.flags, s.flag, s.is_switch) for s in settings_of(command)
    ]


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """A copy of the listing beside other declarations."""
    for name in ("options.json", *option._DECLARATIONS):
        (tmp_path / name).write_bytes(option.LISTING.with_name(name).read_bytes())
    monkeypatch.setattr(option, "LISTING", tmp_path / "options.json")
    return tmp_path


def change(file: Path, old: bytes, new: bytes) -> None:
    assert old in file.read_bytes()
    file.write_bytes(file.read_bytes().replace(old, new))


def test_a_listing_of_other_declarations_is_not_believed(elsewhere):
    assert option.listed() is not None
    change(elsewhere / "sections.py", b"Peak learning rate", b"Highest learning rate")
    assert option.listed() is None


def test_line_ends_of_another_system_are_no_other_declarations(elsewhere):
    change(elsewhere / "sections.py", b"\n", b"\r\n")
    assert option.listed() is not None


def test_without_sources_the_listing_is_believed(elsewhere):
    (elsewhere / "sections.py").unlink()
    assert option.listed() is not None


@pytest.mark.parametrize("content", [None, b"{"])
def test_a_missing_or_damaged_listing_costs_time_only(elsewhere, content):
    if content is None:
        option.LISTING.unlink()
    else:
        option.LISTING.write_bytes(content)
    assert option.listed() is None
    option._options.cache_clear()
    assert {o.path for o in options_of("train")} == {s.path for s in settings_of("train")}
    option._options.cache_clear()


def test_it_is_json_that_a_person_can_compare():
    assert json.loads(listing())["sections"]["optim"]["options"]["lr"]["bounds"] == "> 0"
