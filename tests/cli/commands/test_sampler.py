import json
import shutil
from pathlib import Path

import pytest

from clf_cli.files import write_text
from tests.running import TORCH, clf_without, draw_discs, report_of

COUNTS = {"train": 6, "val": 2}


@pytest.fixture
def uneven(tmp_path):
    """Sixteen train images: 8 blue, 6 green, 2 red."""
    root = draw_discs(tmp_path / "uneven", {"train": 8, "val": 2})
    for name, last in (("green", 6), ("red", 2)):
        for number in range(last, 8):
            (root / "train" / name / f"{number:02d}.png").unlink()
    return root


def test_the_numbers_of_a_balanced_epoch(clf, uneven):
    report = report_of(clf("sampler", "--data", uneven, "--balance", "sampler", "--batch-size", "4", "--json"))
    assert report["kind"] == "sampler"
    assert report["data"]["split"] == "train"
    result = report["result"]
    assert (result["labels"], result["images"]) == (["blue", "green", "red"], [8, 6, 2])
    assert sum(result["drawn"]) == 16
    assert result["expected"] == pytest.approx([16 / 3] * 3)
    assert result["effective_prior"] == pytest.approx([1 / 3] * 3)
    assert (result["batches"], report["findings"]) == (4, [])


def test_correcting_twice_is_said_in_the_report_and_on_stderr(clf, uneven):
    finished = clf("sampler", "--data", uneven, "--balance", "both", "--json", "--quiet")
    (finding,) = report_of(finished)["findings"]
    assert (finding["severity"], finding["category"]) == ("warning", "balance")
    assert "Warning: Imbalance is corrected twice" in finished.stderr
    assert "4.0 times" in finished.stderr


def test_seed_and_epoch_decide_the_draws_and_nothing_else_changes(clf, uneven):
    def drawn(*more):
        return report_of(clf("sampler", "--data", uneven, "--balance", "sampler", "--json", *more))

    first = drawn()
    assert drawn("--epoch", "1", "--seed", "0") == first
    others = [drawn("--epoch", str(epoch)) for epoch in (2, 3, 4)] + [drawn("--seed", "1")]
    assert any(other["result"]["drawn"] != first["result"]["drawn"] for other in others)
    assert all(other["result"]["expected"] == first["result"]["expected"] for other in others)


def test_the_table_and_the_files(clf, uneven, tmp_path):
    finished = clf("sampler", "--data", uneven, "--out", tmp_path / "new" / "x")
    assert finished.code == 0
    assert "16 images drawn in 1 batch of 32" in finished.stdout
    assert "The rarest class, red, has 2 images: 2.0 in an epoch on average" in finished.stdout
    assert sorted(path.name for path in (tmp_path / "new" / "x").iterdir()) == [
        *("sampler.csv", "sampler.json", "sampler.png")
    ]
    stored = json.loads((tmp_path / "new" / "x" / "sampler.json").read_text())
    assert stored == report_of(clf("sampler", "--data", uneven, "--json"))


def test_training_says_that_it_would_correct_twice(clf, uneven, tmp_path):
    """One step of a real training; the finding stands in the run's reports too."""
    finished = clf(
        *("train", "--data", uneven, "--out", tmp_path, "--name", "twice", "--arch", "test_resnet", "--no-pretrained"),
        *("--image-size", "32", "--epochs", "1", "--balance", "both", "--device", "cpu", "--threads", "1"),
        *("--workers", "0", "--no-export", "--no-history", "--no-confusion", "--no-samples"),
    )
    assert finished.code == 0, finished.stderr
    assert "imbalance is corrected twice" in finished.stderr
    stored = json.loads((tmp_path / "twice" / "reports" / "sampler.json").read_text())
    assert len(stored["findings"]) == 1
    again = clf("sampler", "--config", tmp_path / "twice" / "settings.toml", "--json")
    assert report_of(again) == stored


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "No data set is named"),
        (["--data", "gone"], 3, "gone"),
        (["--data", "empty"], 3, "empty"),
        (["--data", "file.txt"], 3, "file.txt"),
        (["--data", "uneven", "--epoch", "0"], 2, "--epoch"),
        (["--data", "uneven", "--balance", "twice"], 2, "balance"),
        (["--data", "uneven", "--out", "file.txt"], 2, "--out file.txt is a file"),
        (["--data", "broken"], 3, "00.png"),
    ],
)
def test_wrong_input_is_named(clf, uneven, tmp_path, monkeypatch, arguments, code, says):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("file.txt").write_text("x")
    shutil.copytree("uneven", "broken")
    write_text(Path("broken/train/red/00.png"), "no image")
    finished = clf("sampler", *arguments)
    assert finished.code == code, finished.stderr
    assert says in " ".join(finished.stderr.replace("│", " ").split())
    assert finished.stdout == ""


def test_no_torch_is_imported(tiny_dataset, tmp_path):
    done = clf_without(TORCH, "sampler", "--data", tiny_dataset, "--out", tmp_path / "x", "--json")
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout)["result"]["drawn"] == [20, 20, 20]
