import json
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from clf_cli.engine.synth import SynthPlan, plan_set
from clf_cli.engine.synth_write import check_out, shots_of, write_synth
from clf_cli.errors import RunError, UsageError
from clf_cli.settings.sections import SynthSection

SECTION = SynthSection(images=40, classes=4, imbalance=2)


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def lines(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_the_folder_holds_what_the_plan_says(tmp_path):
    plan = plan_set(SECTION, 0)
    result = write_synth(plan, tmp_path / "deep" / "out", 0)
    assert result.out == (tmp_path / "deep" / "out").as_posix()
    for split, folder in {"train": "train", "val": "valid", "test": "test"}.items():
        rows = lines(tmp_path / "deep" / "out" / folder / "annotations.jsonl")
        assert {label: [row["suffix"] for row in rows].count(label) for label in plan.counts[split]} == plan.counts[
            split
        ]
        images = {path.name for path in (tmp_path / "deep" / "out" / folder).glob("*.jpg")}
        assert images == {row["image"] for row in rows}
        assert len(rows) == len(images)
        assert {row["prefix"] for row in rows} == {"Read the number."}
        assert all(set(row["metadata"]) == {"jersey_color", "number_color", "blur", "source"} for row in rows)
        with Image.open(tmp_path / "deep" / "out" / folder / rows[0]["image"]) as image:
            assert (image.format, image.mode) == ("JPEG", "RGB")
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"out"}


def test_equal_seeds_write_equal_bytes_and_other_seeds_do_not(tmp_path):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        write_synth(plan_set(SECTION, 0), tmp_path / name, seed)
    first = files(tmp_path / "a")
    assert first == files(tmp_path / "b")
    pictures = {name for name in first if name.endswith(".jpg")}
    assert all(first[name] != files(tmp_path / "c")[name] for name in pictures)


def test_no_image_is_drawn_twice_within_a_set_nor_for_the_data_it_was_made_like(tmp_path):
    write_synth(plan_set(SECTION, 0), tmp_path / "set", 0)
    write_synth(SynthPlan({"train": {"": 12, "0": 12}}, stream=1), tmp_path / "more", 0)
    contents = [
        data for name in ("set", "more") for path, data in files(tmp_path / name).items() if path.endswith("jpg")
    ]
    assert len(set(contents)) == len(contents) == 64


def test_classes_are_mixed_within_a_split():
    labels = [shot.label for shot in shots_of(plan_set(SynthSection(images=200, classes=4), 0), 0)["train"]]
    assert labels != sorted(labels)
    assert len(set(labels[:25])) > 1


@pytest.mark.parametrize("kind", ["folder", "file", "dangling link"])
def test_an_existing_out_is_refused_and_stays(tmp_path, kind):
    out = tmp_path / "out"
    if kind == "folder":
        out.mkdir()
    elif kind == "file":
        out.write_text("mine")
    else:
        out.symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="exists already") as caught:
        write_synth(plan_set(SECTION, 0), out, 0)
    assert str(out) in caught.value.message
    assert "--out" in str(caught.value.hint)
    assert caught.value.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_nothing_is_written_into_the_data_it_is_made_like(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(UsageError, match="nothing is ever written into a data folder"):
        check_out(tmp_path / "data" / "train" / "extra", tmp_path / "data")
    check_out(tmp_path / "beside", tmp_path / "data")


def test_a_parent_that_is_a_file_is_a_run_error_naming_the_path(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="Cannot write") as caught:
        write_synth(plan_set(SECTION, 0), tmp_path / "file" / "out", 0)
    assert "out" in caught.value.message


def test_an_interrupted_drawing_leaves_nothing(tmp_path):
    @contextmanager
    def interrupting(description, total):
        seen = []

        def advance(count):
            seen.append(count)
            if len(seen) == 35:  # in the last split
                raise KeyboardInterrupt

        yield advance

    with pytest.raises(KeyboardInterrupt):
        write_synth(plan_set(SECTION, 0), tmp_path / "out", 0, interrupting)
    assert list(tmp_path.iterdir()) == []


def test_the_name_appears_only_when_everything_is_written(tmp_path):
    seen = []

    @contextmanager
    def watching(description, total):
        assert total == 40
        yield lambda count: seen.append((count, (tmp_path / "out").exists()))

    write_synth(plan_set(SECTION, 0), tmp_path / "out", 0, watching)
    assert seen == [(1, False)] * 40
