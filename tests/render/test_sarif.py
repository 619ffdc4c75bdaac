"""SARIF 2.1.0 as code hosts read it: what the schema requires, URIs that lead to the files, no more than they take."""

import json
from pathlib import Path
from urllib.parse import unquote, urljoin, urlparse

import pytest

from clf_cli.data.codes import CODES
from clf_cli.data.samples import Finding
from clf_cli.engine.dataset_gate import Gate, Judged, Verdict
from clf_cli.render import sarif
from clf_cli.render.sarif import sarif_json

# (required, allowed) properties of each object that we write, from the schema of the standard
SHAPES = {
    "log": ({"version", "runs"}, {"$schema"}),
    "run": ({"tool"}, {"invocations", "originalUriBaseIds", "columnKind", "results"}),
    "driver": ({"name"}, {"semanticVersion", "rules"}),
    "rule": ({"id"}, {"shortDescription", "fullDescription", "help", "defaultConfiguration", "properties"}),
    "result": (
        {"message"},
        {"ruleId", "ruleIndex", "level", "locations", "relatedLocations", "suppressions", "properties"},
    ),
    "physical": ({"artifactLocation"}, {"region"}),
}


def log_of(*judged: Judged, root: Path = Path("/repo/data"), folder: Path = Path("/repo")) -> dict:
    gate = Gate(frozenset({"error"}), frozenset())
    log = json.loads(sarif_json(Verdict(root, judged, gate, frozenset(), (), {}), folder))
    check("log", log)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    check("run", run)
    check("driver", run["tool"]["driver"])
    for rule in run["tool"]["driver"]["rules"]:
        check("rule", rule)
    for result in run["results"]:
        check("result", result)
        assert result["level"] in ("error", "warning", "note")
        for location in (*result["locations"], *result.get("relatedLocations", [])):
            check("physical", location["physicalLocation"])
    return run


def check(shape: str, found: dict) -> None:
    required, allowed = SHAPES[shape]
    assert required <= found.keys() <= required | allowed


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
