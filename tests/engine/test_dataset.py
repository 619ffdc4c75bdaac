"""The report counts what is there, and what it says adds up."""

import json
from pathlib import Path

import pytest
from PIL import Image

from clf_cli.data.dataset import survey_dataset
from clf_cli.engine.dataset import dataset_report, inspect
from clf_cli.settings.data_sections import InspectSection
from clf_cli.settings.sections import DataSection


@pytest.fixture
def root(tmp_path: Path, monkeypatch) -> Path:
    """Train: 4 cat, 2 dog; val: 1 cat; one broken file in val, one image twice in train."""
    monkeypatch.setenv("CLF_CACHE_DIR", str(tmp_path / "cache"))
    data = tmp_path / "data"
    names = ["train/cat/0", "train/cat/1", "train/cat/2", "train/dog/0", "train/dog/1", "val/cat/0"]
    for value, name in enumerate(names):
        path = data / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L" if value else "RGB", (10 + value, 20), value * 10).save(path)
    (data / "train/cat/3.png").write_bytes((data / "train/cat/2.png").read_bytes())
    (data / "val/cat/broken.png").touch()
    return data


def test_counts(root):
    result = inspect(survey_dataset(DataSection(root=root), 0), ())
    assert result.labels.names == ("cat", "dog")
    assert result.splits == ("train", "val")
    assert result.counts.tolist() == [[4, 1], [2, 0]]
    assert result.skipped == (0, 1)
    assert result.imbalance_ratio == 2
    assert result.missing(1) == ("dog",)
    assert result.share(0, 0) == pytest.approx(4 / 6)
    assert (result.width.smallest, result.width.median, result.width.largest) == (10, 12, 15)
    assert result.formats == {"PNG": 7}
    assert result.modes == {"L": 6, "RGB": 1}
    assert result.duplicates == 1
    assert result.total_bytes == sum(p.stat().st_size for p in root.rglob("*.png"))


def test_the_report(root):
    dataset = survey_dataset(DataSection(root=root), 0)
    report = json.loads(json.dumps(dataset_report(dataset, InspectSection()).to_json(), allow_nan=False))
    assert report["kind"] == "dataset"
    assert report["data"]["fingerprint"] == dataset.fingerprint
    assert (report["data"]["images"], report["data"]["skipped"]) == (7, 1)
    result = report["result"]
    assert {key: result["splits"]["val"][key] for key in ("images", "skipped", "missing")} == {
        "images": 1, "skipped": 1, "missing": ["dog"],
    }  # fmt: skip
    assert [row["counts"] for row in result["classes"]] == [{"train": 4, "val": 1}, {"train": 2, "val": 0}]
    for split, entry in result["splits"].items():
        assert sum(row["counts"][split] for row in result["classes"]) == entry["images"]
        assert sum(row["shares"][split] for row in result["classes"]) == pytest.approx(1)
    assert [(f["category"], f["severity"]) for f in report["findings"] if f["severity"] != "info"] == [
        ("unreadable", "error"),
        ("duplicate", "warning"),
    ]


def test_a_share_of_an_empty_split_is_undefined(root):
    (root / "val/cat/0.png").unlink()
    report = dataset_report(survey_dataset(DataSection(root=root, on_bad_image="skip"), 0), InspectSection()).to_json()
    assert report["result"]["classes"][0]["shares"] == {"train": 4 / 6, "val": None}
