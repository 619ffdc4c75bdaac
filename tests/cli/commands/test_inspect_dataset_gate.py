"""The gate on the command line: exit codes, files for CI, and a baseline that only new findings get past."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from PIL import Image

from tests.running import Clf, report_of


@pytest.fixture
def data(tmp_path: Path, monkeypatch) -> Path:
    """Sound but for one image that is in train and in val."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLF_CACHE_DIR", str(tmp_path / "cache"))
    root = tmp_path / "data"
    for value, name in enumerate(("train/cat/0", "train/cat/1", "train/dog/0", "val/cat/0", "val/dog/0")):
        path = root / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (30 + value, 40), (value * 50, 20, 20)).save(path)
    (root / "val/dog/0.png").write_bytes((root / "train/dog/0.png").read_bytes())
    return root


def inspect(clf: Clf, data: Path, *arguments: object):
    return clf("inspect-dataset", data, "--no-near-duplicates", *arguments)


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ([], 0),
        (["--fail-on", "leak,conflict,unreadable"], 1),
        (["--fail-on", "conflict", "--fail-on", "CLF401"], 1),
        (["--fail-on", "conflict"], 0),
        (["--fail-on", "none"], 0),
        (["--warn-on", "leak"], 0),
        (["--min-per-class", "2"], 1),
        (["--max-imbalance", "1.5"], 1),
        (["--max-imbalance", "2", "--min-per-class", "1"], 0),
        (["--fail-on", "leek"], 2),
        (["--fail-on", "none,leak"], 2),
        (["--fail-on", "leak", "--warn-on", "leak"], 2),
        (["--baseline", "none.json"], 2),
    ],
)
def test_exit_codes(clf, data, flags, code):
    done = inspect(clf, data, *flags)
    assert done.code == code, done.stderr
    assert (done.stdout == "") == (code == 2)
    assert "Traceback" not in done.stderr


def test_a_share_that_training_takes_hides_nothing(clf, data):
    for value in range(8):
        Image.new("RGB", (50 + value, 40)).save(data / f"train/dog/{value + 1}.png")
    Path("clf.toml").write_text("[data]\nsubset = 0.01\n")
    done = inspect(clf, data, "--fail-on", "leak", "--json")
    assert done.code == 1
    assert report_of(done, 1)["data"]["images"] == 13


def test_what_fails_is_said_on_both_streams(clf, data):
    done = inspect(clf, data, "--fail-on", "leak")
    assert "Gate: fails on leak: CLF401 2" in done.stdout
    assert f"Error: {data} does not pass: CLF401 (2)" in done.stderr
    assert "clf split" in done.stderr


def test_what_warns_is_said_with_quiet_too(clf, data):
    done = inspect(clf, data, "--warn-on", "leak", "--quiet")
    assert "CLF401 (2)" in done.stderr


def test_json_says_what_the_gate_makes_of_each_finding(clf, data):
    report = report_of(inspect(clf, data, "--fail-on", "leak", "--json"), 1)
    gate = report["result"]["gate"]
    assert (gate["passed"], gate["failed"], gate["fail_on"]) == (False, {"CLF401": 2}, ["leak"])
    assert {finding["code"]: finding["gate"] for finding in report["findings"]}["CLF401"] == "failed"


def test_verbose_lists_every_finding(clf, data):
    done = inspect(clf, data, "--verbose")
    assert "warning CLF401 train/dog/0.png: " in done.stdout
    assert "\n  val/dog/0.png\n" in done.stdout


def test_a_settings_file_sets_the_gate(clf, data):
    Path("clf.toml").write_text('[gate]\nfail_on = ["leak"]\n')
    assert inspect(clf, data).code == 1
    assert inspect(clf, data, "--fail-on", "error").code == 0


def test_files_for_ci_are_written_whether_or_not_it_passes(clf, data, tmp_path):
    for code, flags in ((0, []), (1, ["--fail-on", "leak"])):
        junit, sarif = tmp_path / f"{code}.xml", tmp_path / f"{code}.sarif"
        assert inspect(clf, data, *flags, "--junit", junit, "--sarif", sarif).code == code
        (suite,) = ET.parse(junit).getroot()
        assert suite.get("failures") == str(code)
        assert suite.get("skipped") == "5"  # near duplicates and labels that a model disputes
        (run,) = json.loads(sarif.read_text())["runs"]
        leak = next(result for result in run["results"] if result["ruleId"] == "CLF401")
        assert leak["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "data/train/dog/0.png"


@pytest.mark.parametrize("broken", ["gone", "empty", "unreadable"])
def test_files_for_ci_say_why_there_is_no_verdict(clf, data, tmp_path, broken):
    """Exit 3: nothing could be judged. The places of files that cannot be read stand in them."""
    there = tmp_path / broken
    if broken != "gone":
        (there / "cat").mkdir(parents=True)
    if broken == "unreadable":
        for name in ("a.png", "b.png"):
            (there / "cat" / name).write_bytes(b"no image")
    done = inspect(clf, there, "--junit", "x.xml", "--sarif", "x.sarif")
    assert done.code == 3
    (suite,) = ET.parse("x.xml").getroot()
    first, *others = suite.findall("testcase/failure")
    assert first.get("message").rstrip(":") in done.stderr
    (run,) = json.loads(Path("x.sarif").read_text())["runs"]
    (invocation,) = run["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 3)
    (note,) = invocation["toolExecutionNotifications"]
    assert (note["level"], note["message"]["text"] in done.stderr.removeprefix("Error: ")) == ("error", True)
    places = [r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in run["results"]]
    assert places == (["unreadable/cat/a.png", "unreadable/cat/b.png"] if broken == "unreadable" else [])
    assert len(others) == (broken == "unreadable")


def test_a_file_for_ci_that_cannot_be_written_hides_no_error(clf, data, tmp_path):
    done = inspect(clf, tmp_path / "gone", "--sarif", tmp_path / "none/x/../y.sarif", "--junit", "/dev/full")
    assert done.code == 3
    assert "No such folder" in done.stderr.splitlines()[-2]


def test_a_baseline_accepts_what_is_there_and_fails_on_what_is_new(clf, data):
    done = inspect(clf, data, "--fail-on", "leak", "--update-baseline")
    assert (done.code, "2 accepted, 2 of them new" in done.stderr) == (0, True)
    first = Path("clf-baseline.json").read_bytes()
    again = ["--fail-on", "leak", "--baseline", "clf-baseline.json"]
    done = inspect(clf, data, *again)
    assert (done.code, "Accepted by clf-baseline.json: CLF401 2" in done.stdout) == (0, True)
    (data / "val/cat/1.png").write_bytes((data / "train/cat/1.png").read_bytes())
    assert inspect(clf, data, *again).code == 1
    assert Path("clf-baseline.json").read_bytes() == first
    assert inspect(clf, data, *again, "--update-baseline").code == 0
    assert inspect(clf, data, *again).code == 0
    (data / "val/cat/1.png").unlink()
    done = inspect(clf, data, *again)
    assert (done.code, "No longer found" in done.stdout) == (0, True)
    assert inspect(clf, data, *again, "--update-baseline").code == 0
    assert Path("clf-baseline.json").read_bytes() == first


def test_without_the_flag_a_baseline_that_lies_here_is_not_read(clf, data):
    inspect(clf, data, "--fail-on", "leak", "--update-baseline")
    assert inspect(clf, data, "--fail-on", "leak").code == 1


def test_an_accepted_error_is_still_one_for_training(clf, data):
    (data / "train/cat/zero.png").touch()
    done = inspect(clf, data, "--update-baseline")
    assert (done.code, "training stops at errors" in done.stderr) == (0, True)


@pytest.mark.parametrize("flag", ["--junit", "--sarif", "--baseline"])
def test_nothing_is_written_into_the_data(clf, data, flag):
    before = sorted(data.rglob("*"))
    update = ["--update-baseline"] if flag == "--baseline" else []
    done = inspect(clf, data, flag, data / "file.json", *update)
    assert (done.code, done.stdout) == (2, "")
    assert flag in done.stderr
    assert sorted(data.rglob("*")) == before


def test_a_baseline_beside_a_manifest_that_is_named_itself(clf, data):
    rows = [{"image": f"data/train/{name}", "label": name[:3]} for name in ("cat/0.png", "cat/1.png", "dog/0.png")]
    Path("rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert inspect(clf, Path("rows.jsonl"), "--update-baseline").code == 0
    assert Path("clf-baseline.json").is_file()


def test_nothing_is_written_into_the_folder_that_a_manifest_names(clf, data):
    rows = [{"root": "data"}, *({"image": f"train/{name}/0.png", "label": name} for name in ("cat", "dog"))]
    Path("rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    done = inspect(clf, Path("rows.jsonl"), "--junit", data / "x.xml")
    assert (done.code, (data / "x.xml").exists()) == (2, False)
    assert inspect(clf, Path("rows.jsonl"), "--junit", "x.xml").code == 0


@pytest.mark.parametrize("flag", ["--junit", "--sarif"])
def test_a_file_that_cannot_be_written_names_its_flag(clf, data, tmp_path, flag):
    (tmp_path / "file").touch()
    done = inspect(clf, data, flag, tmp_path / "file" / "x")
    assert done.code == 6
    assert flag in done.stderr


@pytest.mark.parametrize(("flag", "begins"), [("--junit", "<?xml"), ("--sarif", "{")])
def test_no_file_of_an_earlier_inspection_outlives_an_error(clf, tmp_path, flag, begins):
    earlier, other = tmp_path / "earlier", tmp_path / "other"
    earlier.write_text(f"{begins} of yesterday")
    assert inspect(clf, tmp_path / "no-data", flag, earlier).code == 3
    assert "of yesterday" not in earlier.read_text()
    earlier.write_text(f"{begins} of yesterday")
    assert inspect(clf, tmp_path / "no-data", flag, earlier, "--baseline", "none.json").code == 2
    assert not earlier.exists()
    other.write_text("a diary")
    assert inspect(clf, tmp_path / "no-data", flag, other).code == 2
    assert other.read_text() == "a diary"


def test_one_file_cannot_be_both(clf, data):
    done = inspect(clf, data, "--junit", "x", "--sarif", "x")
    assert (done.code, Path("x").exists()) == (2, False)
