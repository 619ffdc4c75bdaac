"""Results on stdout, everything else on stderr."""

import json
import logging
import math
import sys
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from clf_cli.cli.console import progress, publish, say, sentence, show_error, start_logging, warn, write_line
from clf_cli.engine.confusion import ConfusionResult
from clf_cli.errors import DataError, RunError
from clf_cli.values.labels import Labels
from clf_cli.values.report import Report


@dataclass(frozen=True)
class Counts:
    kind: ClassVar[str] = "confusion"
    values: tuple[float, ...]

    def to_result(self) -> dict[str, Any]:
        return {"values": list(self.values), "label": "ü"}


@pytest.fixture(autouse=True)
def default_logging():
    start_logging()
    yield
    start_logging()


def test_json_is_one_document_on_stdout_and_nan_is_null(capsys):
    publish(Report(Counts((1.0, math.nan))), as_json=True)
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert document["kind"] == "confusion"
    assert document["result"] == {"values": [1.0, None], "label": "ü"}
    assert captured.err == ""


def test_a_table_in_a_pipe_is_not_cut_to_a_terminals_width(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    labels = Labels(tuple(f"class {number}" for number in range(10)))
    publish(Report(ConfusionResult(labels, np.eye(10, dtype=np.int64) * 1000)), as_json=False)
    captured = capsys.readouterr()
    assert 80 < max(len(line) for line in captured.out.splitlines()) <= 200
    assert captured.err == ""


def test_lines_go_to_stderr(capsys):
    say("four images")
    warn("a cache that cannot be written")
    captured = capsys.readouterr()
    assert captured.err == "four images\nWarning: a cache that cannot be written\n"
    assert captured.out == ""


def test_quiet_leaves_warnings(capsys):
    start_logging(quiet=True)
    say("four images")
    warn("watch out")
    assert capsys.readouterr().err == "Warning: watch out\n"


def test_verbose_adds_debug_messages(capsys):
    logging.getLogger("clf_cli.data.scan").debug("read a.jpg")
    assert capsys.readouterr().err == ""
    start_logging(verbose=True)
    logging.getLogger("clf_cli.data.scan").debug("read a.jpg")
    assert capsys.readouterr().err == "read a.jpg\n"


def test_starting_twice_says_nothing_twice(capsys):
    start_logging()
    start_logging()
    say("once")
    assert capsys.readouterr().err == "once\n"


def test_brackets_and_long_lines_stay_as_they_are(capsys):
    line = "[data] " + "x" * 500 + " [/red]"
    say(line)
    assert capsys.readouterr().err == line + "\n"


def test_names_steer_no_terminal(capsys):
    say("class a\x1b[31m\u202eb\nnext line")
    show_error(DataError("no \x1b]0;title\x07 here", "try \x9b1m \udcff"), "clf")
    captured = capsys.readouterr()
    assert captured.err == (
        "class a\\x1b[31m\\u202eb\nnext line\nError: no \\x1b]0;title\\x07 here\ntry \\x9b1m \\udcff\n"
    )


def test_a_result_is_written_as_it_is(capsys):
    write_line("[bold]" + "x" * 500)
    assert capsys.readouterr().out == "[bold]" + "x" * 500 + "\n"


def test_a_result_that_cannot_be_written_is_an_error(monkeypatch):
    class Full:
        def write(self, text):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(RunError, match="No space left on device") as caught:
        write_line("result")
    assert caught.value.exit_code == 6


def test_no_bar_off_a_terminal(capsys):
    with progress("Reading", 3) as advance:
        advance(1)
        advance(2)
    assert capsys.readouterr() == ("", "")


def as_terminal(monkeypatch, **environment):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    for name in ("CI", "TERM", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def test_a_bar_on_stderr_while_a_person_watches(capsys, monkeypatch):
    as_terminal(monkeypatch, TERM="xterm")
    with progress("Reading", 3) as advance:
        advance(3)
    captured = capsys.readouterr()
    assert "Reading" in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"TERM": "xterm", "CI": "1"}])
def test_no_bar_where_nothing_can_move(capsys, monkeypatch, environment):
    as_terminal(monkeypatch, **environment)
    with progress("Reading", 3) as advance:
        advance(3)
    assert capsys.readouterr().err == ""


def test_no_bar_when_quiet(capsys, monkeypatch):
    as_terminal(monkeypatch, TERM="xterm")
    start_logging(quiet=True)
    with progress("Reading", 3) as advance:
        advance(3)
    assert capsys.readouterr().err == ""


def test_no_color(capsys, monkeypatch):
    as_terminal(monkeypatch, TERM="xterm-256color")
    warn("x")
    assert "\x1b[" in capsys.readouterr().err
    monkeypatch.setenv("NO_COLOR", "1")
    warn("x")
    assert "\x1b[33" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["plain", "two\nlines", "", "[bold]é[/] :smile: 3.14 'x' /a/b", "x" * 300, "a\tb", "cut "]
)
def test_a_line_is_the_same_with_and_without_rich(capsys, monkeypatch, text):
    """What nothing is drawn beside is written as it stands, and rich is not imported for it."""
    start_logging()
    say(text)
    with_rich = capsys.readouterr().err
    monkeypatch.delitem(sys.modules, "rich.console")
    say(text)
    assert capsys.readouterr().err == with_rich


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("the labels are others", "The labels are others."),
        ("re-encoded images, no more", "Re-encoded images, no more."),
        ("model.onnx keeps weights outside", "model.onnx keeps weights outside."),
        ("runs/a is gone.", "runs/a is gone."),
    ],
)
def test_a_sentence_has_a_capital_letter_but_a_file_its_own_name(text, said):
    assert sentence(text) == said
