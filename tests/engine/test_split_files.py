"""The manifests of a split are what the next one continues."""

from pathlib import Path

import pytest

from clf_cli.data.layout import read_layout
from clf_cli.data.samples import Sample
from clf_cli.data.written_manifests import read_header
from clf_cli.engine.split import plan_split
from clf_cli.engine.split_files import continued, earlier_parts, split_files, write_split
from clf_cli.errors import DataError, UsageError
from tests.drafts import draft_of, parts, policy, rows


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def written(data: Path, out: Path, **how):
    samples = [*rows(80), Sample("only.png", "rare")]  # which validates nowhere
    return write_split(plan_split(draft_of(samples), policy(**how), {}), out, data)


def test_one_file_or_one_for_each_fold():
    assert split_files(Path("a/cv.jsonl"), None) == (Path("a/cv.jsonl"),)
    assert split_files(Path("a/cv.jsonl"), 2) == (Path("a/cv-1.jsonl"), Path("a/cv-2.jsonl"))


@pytest.mark.parametrize("folds", [None, 3])
def test_what_is_written_is_where_every_image_was(tmp_path, data, folds):
    out = tmp_path / "split.jsonl"
    result = written(data, out, folds=folds, test=0.2)
    files = continued(out, data, policy(folds=folds, test=0.2))
    assert [file.as_posix() for file in files] == list(result.files)
    found = earlier_parts(files, data.resolve(), folds)
    assert found == parts(result)
    for file, assignment in zip(files, result.assignments, strict=True):
        listing = read_layout(file)
        assert [row.split for row in listing.samples] == list(assignment.splits)
        assert listing.root == data.resolve()


def test_a_fold_is_known_by_its_first_line(tmp_path, data):
    """So that a lost file does not shift the others."""
    result = written(data, tmp_path / "cv.jsonl", folds=3)
    (tmp_path / "cv-1.jsonl").unlink()
    files = continued(tmp_path / "cv.jsonl", data, policy(folds=3))
    found = earlier_parts(files, data.resolve(), 3)
    assert found == {path: part for path, part in parts(result).items() if part in ("fold-2", "fold-3")}
    header = read_header(files[0])
    assert header is not None
    assert header.made["fold"] == 2


def test_nothing_is_continued_that_is_not_there(tmp_path, data):
    assert continued(tmp_path / "new.jsonl", data, policy()) == ()


@pytest.mark.parametrize(
    ("how", "named"), [({"seed": 1}, "seed 0, not 1"), ({"val": 0.5}, "val_fraction 0.2, not 0.5")]
)
def test_another_way_of_splitting_is_refused_by_name(tmp_path, data, how, named):
    out = tmp_path / "split.jsonl"
    written(data, out)
    with pytest.raises(UsageError, match=named):
        continued(out, data, policy(**how))
    assert continued(out, data, policy(**how), afresh=True) == ()


def test_a_manifest_of_other_data_is_no_earlier_split(tmp_path, data):
    """Else it would be written over, and every image drawn anew, without a word."""
    written(data, tmp_path / "split.jsonl")
    (tmp_path / "other").mkdir()
    with pytest.raises(DataError, match="names no image in"):
        earlier_parts([tmp_path / "split.jsonl"], (tmp_path / "other").resolve(), None)
    assert len(earlier_parts([tmp_path / "split.jsonl"], tmp_path.resolve(), None)) == 81  # a folder above


@pytest.mark.parametrize("text", ['{"image": "x.png", "label": "a"}\n', "{\n"])
def test_a_file_that_is_no_split_is_refused(tmp_path, data, text):
    (tmp_path / "rows.jsonl").write_text(text)
    with pytest.raises(DataError, match="is no earlier split"):
        earlier_parts([tmp_path / "rows.jsonl"], data, None)
