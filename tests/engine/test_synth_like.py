import json
from pathlib import Path

import pytest
from PIL import Image

from clf_cli.engine.synth_like import plan_for
from clf_cli.errors import DataError
from clf_cli.settings.sections import DataSection, SynthSection


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("CLF_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


def data_with(root: Path, train: dict[str, int], val: dict[str, int], height: int = 20) -> Path:
    for split, counts in {"train": train, "valid": val}.items():
        (root / split).mkdir(parents=True)
        lines = []
        for label, count in counts.items():
            for number in range(count):
                name = f"{len(lines)}.png"
                color = (len(lines), number, 90 if split == "train" else 200)
                Image.new("RGB", (12, height), color).save(root / split / name)
                lines.append(json.dumps({"image": name, "suffix": label}))
        (root / split / "annotations.jsonl").write_text("\n".join(lines))
    return root


def test_rare_classes_are_counted_in_train_and_drawn_as_tall_as_the_data(tmp_path):
    root = data_with(tmp_path / "data", {"7": 3, "8": 9, "": 1, "banana": 1}, {"7": 6, "8": 2})
    plan = plan_for(SynthSection(like=root, below=5, target=10), DataSection(), 0)
    assert plan.counts == {"train": {"": 9, "7": 7}}
    assert plan.left_out == ("banana",)
    assert set(plan.heights) == {20}


def test_a_class_that_train_lacks_is_the_rarest(tmp_path):
    root = data_with(tmp_path / "data", {"7": 3, "8": 3}, {"7": 1, "6": 1})
    assert plan_for(SynthSection(like=root, below=1, target=4), DataSection(), 0).counts == {"train": {"6": 4}}


def test_broken_files_of_the_data_do_not_stop_it_and_count_for_nothing(tmp_path):
    root = data_with(tmp_path / "data", {"7": 3, "8": 3}, {"7": 1})
    (root / "train" / "0.png").write_bytes(b"no image")
    assert plan_for(SynthSection(like=root, below=3, target=4), DataSection(), 0).counts == {"train": {"7": 2}}


def test_data_that_are_not_there_are_a_data_error_naming_them(tmp_path):
    with pytest.raises(DataError) as caught:
        plan_for(SynthSection(like=tmp_path / "nowhere"), DataSection(), 0)
    assert "nowhere" in caught.value.message


def test_the_data_stay_as_they_are(tmp_path):
    root = data_with(tmp_path / "data", {"7": 3, "8": 3}, {"7": 1})
    before = {path: path.stat().st_mtime_ns for path in (root, *root.rglob("*"))}
    plan_for(SynthSection(like=root, below=10, target=12), DataSection(), 0)
    assert {path: path.stat().st_mtime_ns for path in (root, *root.rglob("*"))} == before
