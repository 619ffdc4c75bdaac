import json
from dataclasses import replace

import pytest

from clf_cli.data.dataset import Dataset
from clf_cli.data.metadata import require_keys, values_of, with_metadata
from clf_cli.data.samples import Sample
from clf_cli.errors import UsageError
from clf_cli.values.labels import Labels


def dataset_of(root, *samples):
    return Dataset(root, samples, {}, Labels(("a", "b")), (), "sha256:0", (), has_splits=True)


def manifest(folder, *rows):
    path = folder / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_a_dotted_key_reaches_into_objects_and_only_there():
    row = Sample("1.png", "a", metadata={"m": {"x": {"y": 0}, "list": [{"z": 1}], "no": None}, "x.y": "flat", "e": {}})
    for key, value in [("m.x.y", 0), ("m.list", [{"z": 1}]), ("m.no", None), ("x.y", "flat")]:
        assert values_of([row], key) == (value,)
    for key in ("m", "m.x", "m.x.y.z", "m.list.z", "e", "", "label", "image"):
        assert values_of([row], key) == (None,)
    assert values_of([replace(row, group="g"), row], "group") == ("g", None)


def test_rows_of_splits_csv_get_their_keys_by_path_and_label(tmp_path):
    path = manifest(
        tmp_path,
        {"image": "1.png", "label": "b", "k": "of b"},
        {"image": "1.png", "label": "a", "k": "first"},
        {"image": "1.png", "label": "a", "k": "second"},
        {"image": "2.png", "label": "a", "group": "g"},
    )
    rows = [Sample("1.png", "a", "train"), Sample("1.png", "a", "train"), Sample("1.png", "b", "train")]
    more = [Sample("2.png", "a", "val"), Sample("2.png", "b", "val"), Sample("3.png", "a", "val")]
    filled, lost = with_metadata(dataset_of(tmp_path, *rows, *more), path)
    assert values_of(filled.samples, "k") == ("first", "second", "of b", None, None, None)
    assert values_of(filled.samples, "group") == (None, None, None, "g", None, None)
    assert lost == 2
    assert [(row.path, row.label, row.split) for row in filled.samples] == [
        (row.path, row.label, row.split) for row in (*rows, *more)
    ]


def test_a_key_that_one_row_has_will_do(tmp_path):
    rows = dataset_of(tmp_path, Sample("1.png", "a"), Sample("2.png", "a", metadata={"m": {"k": None}}))
    require_keys(rows, ["m.k"])
    with pytest.raises(UsageError, match=r"no image has this key; did you mean m\.k\?$"):
        require_keys(rows, ["m.k", "m"])


def test_of_very_many_keys_some_are_named(tmp_path):
    rows = dataset_of(tmp_path, Sample("1.png", "a", metadata={f"k{i}": i for i in range(100)}))
    with pytest.raises(UsageError) as caught:
        require_keys(rows, ["other"])
    assert caught.value.hint.endswith("k18, k19 and 80 more.")


def test_folders_have_no_keys(tmp_path):
    with pytest.raises(UsageError, match="no keys but their label") as caught:
        require_keys(dataset_of(tmp_path, Sample("1.png", "a")), ["k"])
    assert "manifest" in caught.value.hint
