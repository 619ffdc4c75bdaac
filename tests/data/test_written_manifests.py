"""Manifests that clf writes lie anywhere: their first line says where the data are."""

import json
import os
from pathlib import Path

import pytest

from clf_cli.data.layout import read_layout
from clf_cli.data.manifests import Manifest
from clf_cli.data.samples import Sample
from clf_cli.data.written_manifests import check_manifest_out, folder_of, made_by, read_header, write_manifest
from clf_cli.errors import DataError, UsageError

ROWS = (
    Sample("a/1.png", "a", "train", "7", {"metadata": {"camera": "ü"}, "prefix": "Read."}),
    Sample("b/2.png", "", "val"),
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def test_what_is_written_is_read_again(tmp_path, data):
    out = tmp_path / "deep" / "split.jsonl"
    write_manifest(out, data, ROWS, {"by": "clf split", "seed": 3})
    listing = read_layout(out)
    assert listing.root == data.resolve() == folder_of(out)
    assert listing.splits == ("train", "val")
    assert [(row.path, row.label, row.split, row.group, row.metadata) for row in listing.samples] == [
        (row.path, row.label, row.split, row.group, row.metadata) for row in ROWS
    ]
    assert [row.source for row in listing.samples] == ["../deep/split.jsonl:2", "../deep/split.jsonl:3"]
    assert not listing.findings
    header = read_header(out)
    assert header is not None
    assert header.made == {"by": "clf split", "seed": 3}


def test_manifest_and_data_may_move_together(tmp_path, data):
    write_manifest(tmp_path / "all.jsonl", data, ROWS, {})
    assert json.loads((tmp_path / "all.jsonl").read_text().splitlines()[0])["root"] == "data"
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("data", "all.jsonl"):
        (tmp_path / name).rename(moved / name)
    assert read_layout(moved / "all.jsonl").root == (moved / "data").resolve()


def test_links_keep_the_words_that_lead_there(tmp_path, data):
    desk = tmp_path / "desk"
    desk.mkdir()
    (desk / "pictures").symlink_to(data)
    write_manifest(desk / "all.jsonl", desk / "pictures", ROWS, {})
    assert json.loads((desk / "all.jsonl").read_text().splitlines()[0])["root"] == "pictures"
    (tmp_path / "far" / "away").mkdir(parents=True)
    (desk / "out").symlink_to(tmp_path / "far" / "away")
    write_manifest(desk / "out" / "all.jsonl", desk / "pictures", ROWS, {})  # "../pictures" would be far/pictures
    assert read_layout(desk / "out" / "all.jsonl").root == data.resolve()


@pytest.mark.parametrize("root", ["nowhere", "a\\u0000b", "all.jsonl"])
def test_a_root_that_is_no_folder_is_named(tmp_path, root):
    (tmp_path / "all.jsonl").write_text(f'{{"root": "{root}"}}\n{{"image": "x.png", "label": "a"}}\n')
    with pytest.raises(DataError, match="are not there: no folder"):
        read_layout(tmp_path / "all.jsonl")


@pytest.mark.parametrize(
    "first", ['{"root": "data", "image": "1.png", "label": "a"}', '{"root": 3}', '["root"]', "{", "[" * 70_000, ""]
)
def test_other_first_lines_are_rows(tmp_path, data, first):
    (tmp_path / "all.jsonl").write_text(f"{first}\n")
    assert read_header(tmp_path / "all.jsonl") is None
    assert folder_of(tmp_path / "all.jsonl") == tmp_path.resolve()


def test_rows_may_not_leave_the_folder_of_the_first_line(tmp_path, data):
    rows = ('{"root": "data"}', '{"image": "../x.png", "label": "a"}', '{"image": "a/x.png", "label": "a"}')
    (tmp_path / "all.jsonl").write_text("\n".join(rows))
    listing = read_layout(tmp_path / "all.jsonl")
    assert [(finding.code, finding.path) for finding in listing.findings] == [("CLF111", "../all.jsonl:2")]
    assert [row.path for row in listing.samples] == ["a/x.png"]


def test_inside_a_folder_of_data_such_a_manifest_is_refused_once(tmp_path, data):
    write_manifest(data / "train.jsonl", tmp_path, ROWS, {})
    listing = read_layout(data)
    assert [(finding.code, finding.path) for finding in listing.findings] == [("CLF204", "train.jsonl:1")]
    assert "name this manifest itself" in listing.findings[0].reason
    assert not listing.samples


def test_only_a_file_that_clf_wrote_may_be_written_again(tmp_path, data):
    out = tmp_path / "all.jsonl"
    check_manifest_out(out, data, "clf clean")
    write_manifest(out, data, ROWS, {"by": "clf clean"})
    assert made_by(out) == "clf clean"
    check_manifest_out(out, data, "clf clean")
    with pytest.raises(UsageError, match="clf split did not write it"):
        check_manifest_out(out, data, "clf split")
    out.write_text('{"image": "x.png", "label": "a"}\n')
    with pytest.raises(UsageError, match="did not write it"):
        check_manifest_out(out, data, "clf clean")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("data/all.jsonl", "nothing is ever written"),
        ("link/all.jsonl", "nothing is ever"),
        ("all.json", "ends in .jsonl"),
    ],
)
def test_places_that_are_refused(tmp_path, data, name, message):
    (tmp_path / "link").symlink_to(data)
    with pytest.raises(UsageError, match=message):
        check_manifest_out(tmp_path / name, data, "clf clean")


def test_the_manifest_that_is_read_is_not_written(tmp_path, data):
    out = tmp_path / "all.jsonl"
    write_manifest(out, data, ROWS, {"by": "clf clean"})
    with pytest.raises(UsageError, match="is the data itself"):
        check_manifest_out(out, out, "clf clean")


def test_halves_of_a_pair_stay_as_they_were(tmp_path, data):
    write_manifest(tmp_path / "all.jsonl", data, [Sample("x.png", "a", metadata={"note": "\ud800", "name": "é"})], {})
    assert read_layout(tmp_path / "all.jsonl").samples[0].metadata == {"note": "\ud800", "name": "é"}


def test_beside_a_manifest_in_its_own_folder_there_is_room_also_for_the_next(tmp_path, data):
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"image": "data/x.png", "label": "a"}\n')
    check_manifest_out(tmp_path / "all.jsonl", rows, "clf clean")
    write_manifest(tmp_path / "all.jsonl", rows, read_layout(rows).samples, {"by": "clf clean"})
    assert [row.path for row in read_layout(tmp_path / "all.jsonl").samples] == ["data/x.png"]
    check_manifest_out(tmp_path / "more.jsonl", tmp_path / "all.jsonl", "clf clean")
    write_manifest(tmp_path / "aside.jsonl", data, ROWS, {"by": "clf clean"})
    with pytest.raises(UsageError, match="nothing is ever written"):
        check_manifest_out(data / "more.jsonl", tmp_path / "aside.jsonl", "clf clean")


def test_a_manifest_whose_data_are_gone_may_be_written_again(tmp_path, data):
    write_manifest(tmp_path / "all.jsonl", data, ROWS, {"by": "clf clean"})
    data.rename(tmp_path / "moved")
    check_manifest_out(tmp_path / "all.jsonl", tmp_path / "moved", "clf clean")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_what_is_no_file_is_not_opened(tmp_path, data):
    os.mkfifo(tmp_path / "all.jsonl")
    with pytest.raises(UsageError, match="did not write it"):
        check_manifest_out(tmp_path / "all.jsonl", data, "clf clean")


@pytest.mark.parametrize(
    ("root", "path", "name"),
    [
        ("/repo/data", "/repo/data/train/rows.jsonl", "train/rows.jsonl"),
        ("/repo/data", "/repo/splits/rows.jsonl", "../splits/rows.jsonl"),
        ("/mnt/shared/data/pets", "/home/me/rows.jsonl", "/home/me/rows.jsonl"),  # no ../../../../home/me/rows.jsonl
    ],
)
def test_a_manifest_far_from_its_data_is_named_by_its_whole_path(root, path, name):
    assert Manifest(Path(root), Path(path), None).name == name


def test_a_path_that_no_system_takes_is_data_that_are_not_there_for_the_scan_to_tell(tmp_path):
    assert folder_of(tmp_path / ("x" * 300)) == tmp_path / ("x" * 300)
