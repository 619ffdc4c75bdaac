"""What lies beside a published file, whatever lay there before."""

import pytest

from clf_cli.engine.onnx_publish import inside, publish
from clf_cli.errors import RunError
from clf_cli.files import move_into_place
from clf_cli.values.onnx_files import files_beside


def draft_of(folder, files, text, outside):
    """A draft in a folder of its own, every file of which says `text`."""
    folder.mkdir()
    draft = inside(folder, files)
    for path in (draft.model, draft.labels_mapping, draft.validation):
        path.write_text(text)
    if outside:
        data_of(draft).write_text(text)
    return draft


def data_of(files):
    return files.model.with_name(f"{files.model.name}.data")


@pytest.mark.parametrize("outside", [False, True])
@pytest.mark.parametrize("before", [None, False, True])
def test_weights_outside_are_those_of_the_model_beside_them(tmp_path, before, outside):
    files = files_beside(tmp_path / "model.onnx")
    if before is not None:
        publish(draft_of(tmp_path / "first", files, "old", before), files, has_golden=False)
    publish(draft_of(tmp_path / "second", files, "new", outside), files, has_golden=False)
    assert files.model.read_text() == "new"
    assert data_of(files).exists() == outside
    if outside:
        assert data_of(files).read_text() == "new"


def test_a_model_never_lies_beside_the_weights_of_another(tmp_path, monkeypatch):
    files = files_beside(tmp_path / "model.onnx")
    publish(draft_of(tmp_path / "first", files, "old", outside=True), files, has_golden=False)
    pairs = []

    def move(source, target):
        move_into_place(source, target)
        if files.model.exists():
            pairs.append((files.model.read_text(), data_of(files).read_text()))

    monkeypatch.setattr("clf_cli.engine.onnx_publish.move_into_place", move)
    publish(draft_of(tmp_path / "second", files, "new", outside=True), files, has_golden=False)
    assert set(pairs) == {("new", "new")}


def test_golden_samples_that_cannot_be_removed(tmp_path, monkeypatch):
    files = files_beside(tmp_path / "model.onnx")
    files.golden.mkdir()

    def refuse(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("clf_cli.engine.onnx_publish.shutil.rmtree", refuse)
    with pytest.raises(RunError, match="Permission denied"):
        publish(draft_of(tmp_path / "draft", files, "new", outside=False), files, has_golden=False)
