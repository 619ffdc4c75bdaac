import json
import shutil
from pathlib import Path

import pytest

from clf_cli.values.run_dir import RunDir
from tests.report_pages import mistakes_of
from tests.running import mark


@pytest.fixture
def run(tiny_run, tmp_path, monkeypatch):
    """A copy of the trained run that a test may change, as runs/tiny of the working folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_run.root, tmp_path / "runs" / "tiny")
    return RunDir(Path("runs/tiny"))


def change(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_the_path_of_the_page_is_the_result(clf, run):
    run.report_page.unlink()
    done = clf("report", run.root)
    assert (done.code, done.stdout, done.stderr) == (0, "runs/tiny/report.html\n", "")
    assert run.report_page.read_text().startswith("<!doctype html>")


def test_json_says_what_the_page_holds(clf, run):
    before = run.report_page.read_bytes()
    done = clf("report", run.root, "--json")
    assert done.code == 0, done.stderr
    report = json.loads(done.stdout)
    stored = json.loads(run.report("metrics").read_text())
    assert report["kind"] == "report"
    assert (report["model"], report["data"]) == (stored["model"], stored["data"])
    result = report["result"]
    assert result["file"] == "runs/tiny/report.html"
    assert result["bytes"] == len(before) == run.report_page.stat().st_size
    assert result["mistakes"] == result["pictures"] == mistakes_of(run)
    assert result["sections"][:3] == ["summary", "curves", "confusion"]
    assert result["numbers"]["val/loss"] == stored["result"]["loss"]
    assert run.report_page.read_bytes() == before


def test_without_images_there_are_rows_but_no_pictures(clf, run):
    done = clf("report", run.root, "--no-images", "--out", "page.html", "--json")
    result = json.loads(done.stdout)["result"]
    assert (result["file"], result["mistakes"], result["pictures"]) == ("page.html", mistakes_of(run), 0)
    text = Path("page.html").read_text()
    assert "data:image/jpeg" not in text
    assert "Pictures were left out on request." in text


def test_data_that_are_gone_leave_a_page_without_mistakes(clf, run):
    text = run.settings.read_text()
    run.settings.write_text(
        "\n".join('root = "gone"' if line.startswith("root =") else line for line in text.split("\n"))
    )
    done = clf("report", run.root, "--quiet")
    assert done.code == 0, done.stderr
    assert "Warning: The data that the run was trained on are gone: gone" in done.stderr
    assert "trained on are gone: gone: there are no pictures of mistakes." in run.report_page.read_text()


def test_images_that_cannot_be_read_any_more_do_not_stop_the_page(clf, run, tiny_dataset, tmp_path):
    shutil.copytree(tiny_dataset, tmp_path / "data")
    text = run.settings.read_text()
    run.settings.write_text(
        "\n".join('root = "data"' if line.startswith("root =") else line for line in text.split("\n"))
    )
    (tmp_path / "data" / "val" / "red" / "00.png").write_text("no picture")
    done = clf("report", run.root)
    assert done.code == 0, done.stderr
    assert "red/00.png" in done.stderr
    assert "no pictures of mistakes" in run.report_page.read_text()


def test_images_that_changed_are_said(clf, run, tiny_dataset, tmp_path):
    shutil.copytree(tiny_dataset, tmp_path / "data")
    text = run.settings.read_text()
    run.settings.write_text(
        "\n".join('root = "data"' if line.startswith("root =") else line for line in text.split("\n"))
    )
    shutil.copy(tmp_path / "data/val/red/01.png", tmp_path / "data/val/red/00.png")
    done = clf("report", run.root, "--json")
    report = json.loads(done.stdout)
    assert report["result"]["pictures"] > 0
    assert "have changed since the training" in report["findings"][-1]["reason"]
    assert "have changed since the training" in run.report_page.read_text()


@pytest.mark.parametrize("status", ["running", "interrupted", "failed"])
def test_an_unfinished_run_has_a_page_that_says_so(clf, run, status):
    change(run.run_json, status=status, best_epoch=None)
    run.report("train").unlink()
    shutil.rmtree(run.export)
    done = clf("report", run.root, "--json")
    assert done.code == 0, done.stderr
    result = json.loads(done.stdout)["result"]
    assert result["numbers"]["status"] == status
    assert "export" not in result["sections"]
    assert result["pictures"] == mistakes_of(run) > 0  # the best checkpoint so far
    assert "clf train --resume" in run.report_page.read_text()


def test_a_run_without_a_checkpoint_has_a_page(clf, run):
    shutil.rmtree(run.checkpoints)
    done = clf("report", run.root)
    assert done.code == 0
    assert done.stderr == "Warning: The run keeps no best checkpoint: the page has no pictures of mistakes.\n"


def test_a_run_that_was_never_validated_has_nothing_to_be_wrong_about(clf, run):
    change(run.run_json, validated=False, best_epoch=None)
    run.best.unlink()
    for kind in ("metrics", "confusion"):
        run.report(kind).unlink()
    done = clf("report", run.root, "--json")
    report = json.loads(done.stdout)
    assert (done.stderr, report["data"]["split"]) == ("", "test")
    assert "mistakes" not in report["result"]["sections"]
    assert report["findings"][0]["reason"] == "these weights were never validated"


def test_no_run_is_guessed(clf, run):
    done = clf("report")
    assert done.code == 2
    assert "No run is named" in done.stderr
    assert "The newest runs: runs/tiny." in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["gone"], 4, "There is no gone"),
        (["."], 4, "is not a run"),
        (["runs"], 4, "is not a run"),
        (["runs/tiny/checkpoints/best.ckpt"], 4, "is a file, not a run. Its run: "),
        (["text"], 4, "text is a file, not a run"),
        (["later"], 4, "was written by a later clf"),
        (["broken"], 4, "run.json cannot be read"),
        (["damaged"], 4, "metrics.json cannot be read"),
        (["runs/tiny", "--out", "runs"], 2, "--out runs is a folder"),
        (["runs/tiny", "--out", "text/page.html"], 6, "Cannot write text/page.html"),
    ],
)
def test_wrong_input_is_named(clf, run, arguments, code, says):
    Path("text").write_text("x")
    for name in ("later", "broken", "damaged"):
        Path(name).mkdir()
        mark(RunDir(Path(name)))
    change(Path("later/run.json"), format_version=99)
    Path("broken/run.json").write_text("{")
    shutil.copy(run.settings, "damaged")
    Path("damaged/reports").mkdir()
    Path("damaged/reports/metrics.json").write_text("[]")
    before = run.report_page.read_bytes()
    done = clf("report", *arguments)
    assert done.code == code, done.stderr
    assert says in " ".join(done.stderr.split())
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert run.report_page.read_bytes() == before
