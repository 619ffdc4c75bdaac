"""The envelope of a report, and what plain data may hold."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from clf_cli import __version__
from clf_cli.values.report import DataRef, ModelRef, Report, plain


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
