import csv
import io
from pathlib import Path
from typing import get_args

import pytest

from clf_cli.cli.commands.runs import SortOption
from clf_cli.engine.runs_choice import SortKey
from tests.edited_runs import edited, longer
from tests.running import clf_without, report_of


@pytest.fixture
def runs(tiny_run, tmp_path, monkeypatch):
    """In ./runs: `a` of two epochs, `b` of five with a score of 5/6, `sub/c` failed after three, `d` that is broken."""
    monkeypatch.chdir(tmp_path)
    edited(tiny_run, Path("runs/a"), longer(2))
    edited(tiny_run, Path("runs/b"), longer(5), {'arch = "test_resnet"': 'arch = "resnet18"'}, started=None)
    edited(tiny_run, Path("runs/sub/c"), longer(3), {"epochs = 2": "epochs = 9"}, status="failed")
    edited(tiny_run, Path("runs/d")).run_json.write_text("{")
    return Path("runs")


def names_of(finished):
    return [run["name"] for run in report_of(finished)["result"]["runs"]]


def test_the_best_first_and_the_broken_last(clf, runs):
    report = report_of(clf("runs", "--json"))
    assert (report["kind"], report["model"], report["data"]) == ("runs", None, None)
    result = report["result"]
    assert (result["folder"], result["found"], result["matching"], result["sort"]) == ("runs", 4, 4, "score")
    assert [run["name"] for run in result["runs"]] == ["b", "sub/c", "a", "d"]
    assert [run["score"] for run in result["runs"]] == [5 / 6, 3 / 4, 2 / 3, None]
    assert [run["status"] for run in result["runs"]] == ["finished", "failed", "finished", "broken"]
    assert result["runs"][0]["started"] is None
    assert [finding["path"] for finding in report["findings"]] == ["runs/d"]


def test_the_table_for_people(clf, runs):
    finished = clf("runs", "runs")
    assert finished.code == 0
    assert finished.stdout.startswith("4 runs in runs, by score; scores are val/acc_top1")
    for text in ("83.3 %", "resnet18", "3/9", "failed", "runs/d/run.json cannot be read"):
        assert text in finished.stdout
    assert finished.stderr == ""


def test_sorting_filtering_and_the_limit(clf, runs):
    assert names_of(clf("runs", "--sort", "name", "--json")) == ["a", "b", "d", "sub/c"]
    assert names_of(clf("runs", "--sort", "name", "--reverse", "--json")) == ["sub/c", "d", "b", "a"]
    assert names_of(clf("runs", "--sort", "epochs", "--limit", "2", "--json")) == ["b", "sub/c"]
    assert names_of(clf("runs", "--filter", "status=finished", "--json")) == ["b", "a"]
    assert names_of(clf("runs", "--filter", "status=finished", "--filter", "arch=test*", "--json")) == ["a"]
    assert names_of(clf("runs", "--filter", "status=broken", "--json")) == ["d"]
    assert names_of(clf("runs", "--filter", "arch=vit", "--json")) == []
    assert clf("runs", "--filter", "arch=vit").stdout == "0 of 4 runs in runs, by score\n"


def test_csv(clf, runs):
    finished = clf("runs", "--format", "csv")
    lines = list(csv.DictReader(io.StringIO(finished.stdout)))
    assert [line["name"] for line in lines] == ["b", "sub/c", "a", "d"]
    assert [line["run"] for line in lines] == ["runs/b", "runs/sub/c", "runs/a", "runs/d"]


def test_the_folder_is_where_training_puts_runs(clf, runs, monkeypatch):
    Path("runs").rename("elsewhere")
    assert clf("runs").code == 4
    monkeypatch.setenv("CLF_TRAIN__OUT", "elsewhere")
    assert report_of(clf("runs", "--json"))["result"]["folder"] == "elsewhere"
    assert names_of(clf("runs", "elsewhere/b", "--json")) == ["b"]


def test_mixed_data_are_a_finding(clf, runs, tiny_run):
    edited(tiny_run, runs / "e", data_fingerprint="sha256:0123456789abcdef")
    report = report_of(clf("runs", "--json"))
    assert [finding["category"] for finding in report["findings"]] == ["broken", "mixed"]
    assert "Scores of 2 data sets do not compare" in clf("runs").stdout
    narrowed = report_of(clf("runs", "--filter", "data=01234567", "--json"))
    assert [run["name"] for run in narrowed["result"]["runs"]] == ["e"]
    assert narrowed["findings"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nowhere"], 4, "There is no folder nowhere."),
        (["empty"], 4, "No runs in empty."),
        (["runs/a/metrics.csv"], 4, "runs/a/metrics.csv is a file."),
        (["--sort", "speed"], 2, "'speed' is not one of 'score'"),
        (["--filter", "arch"], 2, "--filter 'arch' is not KEY=VALUE."),
        (["--filter", "stats=x"], 2, "did you mean status?"),
        (["--limit", "0"], 2, "--limit"),
        (["--json", "--format", "csv"], 2, "--json is one document"),
        (["runs", "more"], 2, "more"),
    ],
)
def test_wrong_input_is_named(clf, runs, arguments, code, says):
    Path("empty").mkdir()
    finished = clf("runs", *arguments)
    assert finished.code == code, finished.stderr
    assert says in " ".join(finished.stderr.replace("│", " ").split())
    assert finished.stdout == ""
    assert "Traceback" not in finished.stderr


def test_only_broken_runs_are_still_a_list(clf, runs):
    finished = clf("runs", "runs/d")
    assert finished.code == 0
    assert "broken" in finished.stdout


def test_every_sort_key_is_offered():
    """Typer reads the keys of the flag when the program starts, and the engine's module is not imported then."""
    assert get_args(get_args(SortOption)[0]) == get_args(SortKey)


def test_nothing_heavy_is_imported(runs):
    done = clf_without(["torch", "torchvision", "timm", "lightning", "matplotlib", "onnx", "onnxruntime"], "runs")
    assert done.code == 0, done.stderr
