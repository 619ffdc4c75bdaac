"""A cluster is told once for each matter: labels that differ, splits that differ, or else repetition."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clf_cli.data.dataset import survey_dataset
from clf_cli.engine.near_findings import near_findings
from clf_cli.settings.data_sections import InspectSection
from clf_cli.settings.sections import DataSection

A, B = "train/cat", "train/dog"


@pytest.fixture
def root(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("CLF_CACHE_DIR", str(tmp_path / "cache"))
    data = tmp_path / "data"
    for seed, folder in enumerate([A, A, B, B, "val/cat", "val/dog"]):
        save(data, f"{folder}/{seed}.png", picture(seed))
    return data


def picture(seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((48, 48), Image.Resampling.BICUBIC)


def save(data: Path, name: str, image: Image.Image) -> None:
    path = data / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def brighter(seed: int) -> Image.Image:
    return picture(seed).point([min(255, level + 3) for level in range(256)] * 3)


def found(root: Path, **section: bool) -> list[tuple[str, tuple[str, ...]]]:
    findings = near_findings(survey_dataset(DataSection(root=root), 0), InspectSection.model_validate(section))
    assert all(finding.count == len(finding.places) for finding in findings)
    return [(finding.code, finding.places) for finding in findings]


def test_none(root):
    assert found(root) == []


def test_in_one_class_and_split(root):
    save(root, f"{A}/copy.png", brighter(0))
    assert found(root) == [("CLF412", (f"{A}/0.png", f"{A}/copy.png"))]


def test_across_splits(root):
    save(root, "val/cat/copy.png", brighter(0))
    assert found(root) == [("CLF402", (f"{A}/0.png", "val/cat/copy.png"))]


def test_the_images_of_a_manifest_are_named_and_its_lines_are_the_places(root):
    save(root, f"{A}/copy.png", brighter(0))
    rows = [{"image": f"{A}/{name}.png", "label": name[0], "split": "train"} for name in ("0", "1", "copy")]
    rows[2]["label"] = "0"
    manifest = root / "rows.jsonl"
    manifest.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (finding,) = near_findings(survey_dataset(DataSection(root=manifest), 0), InspectSection())
    assert finding.places == ("rows.jsonl:1", "rows.jsonl:3")
    assert f"{A}/0.png, {A}/copy.png" in finding.reason


def test_under_two_labels(root):
    save(root, f"{B}/copy.png", brighter(0))
    assert found(root) == [("CLF303", (f"{A}/0.png", f"{B}/copy.png"))]


def test_under_two_labels_in_two_splits(root):
    save(root, "val/dog/copy.png", brighter(0))
    places = (f"{A}/0.png", "val/dog/copy.png")
    assert found(root) == [("CLF303", places), ("CLF402", places)]


def test_the_same_pixels_under_two_labels(root):
    save(root, f"{B}/copy.bmp", picture(0))
    assert found(root) == [("CLF302", (f"{A}/0.png", f"{B}/copy.bmp"))]


def test_the_same_bytes_have_findings_of_their_own(root):
    save(root, f"{A}/copy.png", picture(0))
    save(root, "val/cat/copy.png", picture(1))
    assert found(root) == []


def test_equal_bytes_stand_in_the_cluster_of_their_near_copy(root):
    save(root, f"{A}/equal.png", picture(0))
    save(root, f"{A}/copy.png", brighter(0))
    assert found(root) == [("CLF412", (f"{A}/0.png", f"{A}/copy.png", f"{A}/equal.png"))]


def test_the_search_can_be_left_out(root):
    save(root, f"{A}/copy.png", brighter(0))
    assert found(root, near_duplicates=False) == []
