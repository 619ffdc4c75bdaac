"""clf inspect-dataset --out and --html: beside the answer, never inside the data."""

import json

import pytest


def test_files_are_written_and_named(clf, tiny_dataset, tmp_path):
    done = clf("inspect-dataset", tiny_dataset, "--out", tmp_path / "new", "--html", tmp_path / "page.html")
    assert done.code == 0
    names = {"dataset.json", "dataset.csv", "dataset.png", "dataset-sizes.png", "dataset-examples.png"}
    assert {path.name for path in (tmp_path / "new").iterdir()} == names
    assert done.stderr.count("Wrote ") == len(names) + 1
    assert "<title>" in (tmp_path / "page.html").read_text()


def test_files_are_written_where_the_gate_fails_too(clf, tiny_dataset, tmp_path):
    page = tmp_path / "page.html"
    done = clf("inspect-dataset", tiny_dataset, "--min-per-class", 1000, "--html", page, "--json")
    assert done.code == 1
    assert json.loads(done.stdout)["result"]["gate"]["passed"] is False
    assert "does not pass" in page.read_text()


@pytest.mark.parametrize("flag", ["--out", "--html"])
def test_nothing_is_written_into_the_data(clf, tiny_dataset, flag):
    before = sorted(tiny_dataset.rglob("*"))
    done = clf("inspect-dataset", tiny_dataset, flag, tiny_dataset / "new")
    assert done.code == 2
    assert f"with {flag}" in done.stderr
    assert sorted(tiny_dataset.rglob("*")) == before


def test_a_file_for_a_folder_and_the_other_way_round(clf, tiny_dataset, tmp_path):
    (tmp_path / "file").write_text("")
    assert clf("inspect-dataset", tiny_dataset, "--out", tmp_path / "file").code == 2
    assert clf("inspect-dataset", tiny_dataset, "--html", tmp_path).code == 2
    done = clf("inspect-dataset", tiny_dataset, "--html", tmp_path / "file" / "page.html")
    assert done.code == 6
    assert "--html" in done.stderr


def test_the_transform_is_that_of_the_flags(clf, tiny_dataset):
    flags = ("--resize-mode", "crop", "--crop-share", 0.5, "--image-size", 64)
    crop = json.loads(clf("inspect-dataset", tiny_dataset, "--json", *flags).stdout)["result"]["crop"]
    assert (crop["width"], crop["height"], crop["resize_mode"], crop["crop_share"]) == (64, 64, "crop", 0.5)
    assert crop["modes"]["crop"]["cut_pixels"] == pytest.approx(0.75)
    assert crop["keeping_more"] == ["letterbox"]
