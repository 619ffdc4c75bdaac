"""SARIF 2.1.0 as code hosts read it: what the schema requires, URIs that lead to the files, no more than they take."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlparse

import pytest

from clf_cli.data.codes import CODES
from clf_cli.data.samples import Finding
from clf_cli.engine.dataset_gate import Gate, Judged, Verdict
from clf_cli.errors import DataError
from clf_cli.render import sarif
from clf_cli.render.sarif import sarif_json, sarif_of_failure

# Of each object that we write: its required properties, and those we use with what they hold, as the schema of the
# standard has them (sarif-schema-2.1.0.json, which allows no others). A tuple is an enumeration, a list an array, a
# dict an object with any keys.
SHAPES: dict[str, tuple[set[str], dict[str, Any]]] = {
    "log": ({"version", "runs"}, {"$schema": str, "version": ("2.1.0",), "runs": ["run"]}),
    "run": (
        {"tool"},
        {
            "tool": "tool",
            "invocations": ["invocation"],
            "originalUriBaseIds": {"": "artifactLocation"},
            "columnKind": ("utf16CodeUnits", "unicodeCodePoints"),
            "results": ["result"],
        },
    ),
    "tool": ({"driver"}, {"driver": "toolComponent"}),
    "toolComponent": ({"name"}, {"name": str, "semanticVersion": str, "rules": ["reportingDescriptor"]}),
    "reportingDescriptor": (
        {"id"},
        {
            "id": str,
            "shortDescription": "message",
            "fullDescription": "message",
            "help": "message",
            "defaultConfiguration": "reportingConfiguration",
            "properties": "propertyBag",
        },
    ),
    "reportingConfiguration": (set(), {"level": ("none", "note", "warning", "error")}),
    "propertyBag": (set(), {"tags": [str], "gate": str}),
    "invocation": (
        {"executionSuccessful"},
        {"executionSuccessful": bool, "exitCode": int, "toolExecutionNotifications": ["notification"]},
    ),
    "notification": ({"message"}, {"message": "message", "level": ("none", "note", "warning", "error")}),
    "message": ({"text"}, {"text": str}),
    "result": (
        {"message"},
        {
            "ruleId": str,
            "ruleIndex": int,
            "level": ("none", "note", "warning", "error"),
            "message": "message",
            "locations": ["location"],
            "relatedLocations": ["location"],
            "suppressions": ["suppression"],
            "properties": "propertyBag",
        },
    ),
    "location": (set(), {"physicalLocation": "physicalLocation"}),
    "physicalLocation": ({"artifactLocation"}, {"artifactLocation": "artifactLocation", "region": "region"}),
    "artifactLocation": (set(), {"uri": str, "uriBaseId": str}),
    "region": (set(), {"startLine": int}),
    "suppression": ({"kind"}, {"kind": ("inSource", "external"), "justification": str}),
}


def check(shape: Any, found: Any) -> None:
    """`found` is what the schema says; raises AssertionError naming the first that is not."""
    if isinstance(shape, list):
        assert isinstance(found, list)
        assert len({json.dumps(item, sort_keys=True) for item in found}) == len(found)  # uniqueItems
        for item in found:
            check(shape[0], item)
    elif isinstance(shape, dict):
        for item in found.values():
            check(shape[""], item)
    elif isinstance(shape, tuple):
        assert found in shape
    elif isinstance(shape, type):
        assert type(found) is shape
    else:
        required, allowed = SHAPES[shape]
        assert required <= found.keys() <= allowed.keys(), shape
        for name, item in found.items():
            check(allowed[name], item)
        assert found.get("startLine", 1) >= 1
        assert found.get("ruleIndex", 0) >= 0


def log_of(*judged: Judged, root: Path = Path("/repo/data"), folder: Path = Path("/repo")) -> dict:
    gate = Gate(frozenset({"error"}), frozenset())
    log = json.loads(sarif_json(Verdict(root, judged, gate, frozenset(), (), {}), folder))
    check("log", log)
    (run,) = log["runs"]
    return run


def path_of(run: dict, location: dict) -> str:
    """Where a location leads, as a reader of URIs resolves it."""
    place = location["physicalLocation"]["artifactLocation"]
    assert not urlparse(place["uri"]).scheme
    base = run["originalUriBaseIds"][place["uriBaseId"]]["uri"]
    assert base.endswith("/")
    return unquote(urlparse(urljoin(base, place["uri"])).path, errors="surrogateescape")


def test_rules_are_the_codes_and_results_point_at_them():
    run = log_of(*(Judged(Finding.of(code, "a.jpg", "x"), None) for code in CODES))
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(CODES)
    assert {result["ruleId"] for result in run["results"]} == set(CODES)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]


@pytest.mark.parametrize(("folder", "base"), [("/repo", "%SRCROOT%"), ("/repo/data", "%SRCROOT%"), ("/else", "DATA")])
@pytest.mark.parametrize(
    ("place", "path", "line"),
    [
        ("train/0/a.jpg", "/repo/data/train/0/a.jpg", None),
        ("train/rows.jsonl:12", "/repo/data/train/rows.jsonl", 12),
        ("../splits/rows.csv:3", "/repo/splits/rows.csv", 3),
        ("/home/me/rows.csv:3", "/home/me/rows.csv", 3),
        ("", "/repo/data", None),
        ("a b#?%41:c.jpg", "/repo/data/a b#?%41:c.jpg", None),
        ("é/\udcff.jpg", "/repo/data/é/\udcff.jpg", None),
        ("a.jpg:7", "/repo/data/a.jpg:7", None),
    ],
)
def test_uris_lead_to_the_files(folder, base, place, path, line):
    run = log_of(Judged(Finding.of("CLF401", place, "x", others=("b.jpg",)), None), folder=Path(folder))
    (result,) = run["results"]
    (location,) = result["locations"]
    assert path_of(run, location).rstrip("/.").rstrip("/") == path
    assert location["physicalLocation"].get("region") == (None if line is None else {"startLine": line})
    assert location["physicalLocation"]["artifactLocation"]["uriBaseId"] == base
    assert path_of(run, result["relatedLocations"][0]) == "/repo/data/b.jpg"


def test_text_of_the_data_is_escaped():
    run = log_of(Judged(Finding.of("CLF301", "a.jpg", 'labels "\x1b[31m\u202e\ud800"'), None))
    assert run["results"][0]["message"]["text"].startswith('labels "\\x1b[31m\\u202e\\ud800"')


def test_accepted_findings_are_suppressed_and_failed_ones_come_first():
    seen, kept, failed = (Judged(Finding.of("CLF401", f"{o}.jpg", "x"), o) for o in (None, "accepted", "failed"))
    results = log_of(seen, kept, failed)["results"]
    paths = [r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in results]
    assert paths[0] == "data/failed.jpg"
    assert ["suppressions" in result for result in results] == [path == "data/accepted.jpg" for path in paths]


def test_no_more_results_than_hosts_take(monkeypatch):
    monkeypatch.setattr(sarif, "MOST", 3)
    run = log_of(*(Judged(Finding.of("CLF401", f"{i}.jpg", "x"), None) for i in range(5)))
    assert len(run["results"]) == 3
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert "2 more" in note["message"]["text"]


def test_related_places_differ():
    run = log_of(Judged(Finding.of("CLF401", "a.jpg", "x", others=("b.jpg", "b.jpg")), None))
    assert len(run["results"][0]["relatedLocations"]) == 1


def test_a_class_name_is_no_link():
    """Readers of SARIF make a link of `[text](destination)` in a message."""
    (result,) = log_of(Judged(Finding.of("CLF505", "", 'class "[look](https://x.example)"'), None))["results"]
    assert "](" not in result["message"]["text"]


def test_a_failure_is_a_run_that_did_not_succeed():
    error = DataError("/repo/data cannot be used:\n  a.jpg: [x](y)\x1b", "Look.")
    found = [Finding.of("CLF104", "a.jpg", "no image"), Finding.of("CLF201", "all.jsonl:3", "not JSON")]
    log = json.loads(sarif_of_failure(Path("/repo/data"), found, Path("/repo"), error))
    check("log", log)
    (run,) = log["runs"]
    (invocation,) = run["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 3)
    (note,) = invocation["toolExecutionNotifications"]
    assert note["message"]["text"] == "/repo/data cannot be used:\n  a.jpg: [x] (y)\\x1b\nLook."
    assert [result["ruleId"] for result in run["results"]] == ["CLF104", "CLF201"]
