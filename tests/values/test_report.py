"""The envelope of a report, and what plain data may hold."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clf_cli import __version__
from clf_cli.files import json_text
from clf_cli.values.report import DataRef, Findings, ModelRef, Report, plain


@dataclass(frozen=True)
class Example:
    kind: ClassVar[str] = "example"
    values: Any = ()

    def to_result(self):
        return {"values": self.values}


def test_the_envelope_of_version_1():
    model = ModelRef("checkpoints/best.ckpt", "resnet18", "ema", "0123")
    data = DataRef("/data", "val", "sha256:00", 7, 2)
    report = Report(Example(), model, data, ({"severity": "warning", "share": np.float32(0.5)},))
    assert report.kind == "example"
    assert report.to_json() == {
        "schema_version": 1,
        "kind": "example",
        "clf": __version__,
        "model": {"path": "checkpoints/best.ckpt", "arch": "resnet18", "weights": "ema", "run_id": "0123"},
        "data": {"path": "/data", "split": "val", "fingerprint": "sha256:00", "images": 7, "skipped": 2},
        "result": {"values": []},
        "findings": [{"severity": "warning", "share": 0.5}],
    }


FINDINGS = st.dictionaries(
    st.text(),
    st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.lists(inner, max_size=4)),
    max_size=3,
)


@given(st.lists(FINDINGS, max_size=4))
@example([{"others": [f'"[{number}]\n' for number in range(101)]}, {}])
def test_the_parts_are_the_text_of_the_whole(findings):
    report = Report(Example((1, [2, 3])), findings=findings)
    assert "".join(report.json_parts()) == json_text(report.to_json())


def test_findings_are_told_one_at_a_time():
    """A million dictionaries take a gigabyte."""
    alive: list[int] = []

    class Told(dict):
        def __init__(self) -> None:
            super().__init__(code="CLF101")
            alive.append(1)

        def __del__(self) -> None:
            alive.pop()

    class Item:
        def to_json(self):
            return Told()

    report = Report(Example(), findings=Findings([Item()] * 50))
    most = max(len(alive) for _ in report.json_parts())
    assert most <= 2
    assert [*report.findings] == [{"code": "CLF101"}] * 50
    assert {"code": "CLF101"} in report.findings


def test_what_is_not_known_is_null():
    document = Report(Example()).to_json()
    assert (document["model"], document["data"], document["findings"]) == (None, None, [])


def test_undefined_becomes_null_wherever_it_hides():
    values = {"a": math.nan, "b": [np.float32("inf"), np.array([[1.5, -math.inf]])], "c": (np.nan, {"d": math.inf})}
    text = json.dumps(plain(values), allow_nan=False)
    assert json.loads(text) == {"a": None, "b": [None, [[1.5, None]]], "c": [None, {"d": None}]}


def test_numpy_becomes_pythons_own():
    values = plain(
        {"i": np.int64(3), "f": np.float32(0.25), "t": np.bool_(True), "e": np.zeros((0, 3)), 7: np.str_("x")}
    )
    assert values == {"i": 3, "f": 0.25, "t": True, "e": [], "7": "x"}
    assert [type(values[key]) for key in ("i", "f", "t", "e")] == [int, float, bool, list]
    assert type(values["7"]) in (str, np.str_)


@pytest.mark.parametrize("value", [Path("x"), {1, 2}, object(), b"x", 1j])
def test_what_has_no_place_in_json_is_a_bug_and_says_which(value):
    with pytest.raises(TypeError, match=type(value).__name__):
        plain([value])
