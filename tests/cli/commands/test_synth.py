import json
from pathlib import Path

import pytest

from clf_cli.__main__ import main
from clf_cli.cli.commands.synth import FOR_A_SET, FOR_LIKE
from clf_cli.settings.sections import SynthSection

SMALL = ("--images", "24", "--classes", "4", "--imbalance", "2")


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLF_CACHE_DIR", str(tmp_path / "cache"))


def test_the_report_counts_the_files_and_stdout_is_nothing_but_it(capsys):
    assert main(["synth", "--out", "set", "--json", *SMALL]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["kind"] == "synth"
    assert report["model"] is None
    result = report["result"]
    assert {"", "0", "00"} < set(result["classes"])
    assert sum(result["splits"].values()) == result["images"] == 24 == len(list(Path("set").rglob("*.jpg")))
    for split, folder in {"train": "train", "val": "valid", "test": "test"}.items():
        lines = Path("set", folder, "annotations.jsonl").read_text(encoding="utf-8").splitlines()
        labels = [json.loads(line)["suffix"] for line in lines]
        assert [labels.count(label) for label in result["classes"]] == result["counts"][split]


def test_the_table_shows_the_empty_class_by_name(capsys):
    assert main(["synth", "--out", "set", *SMALL]) == 0
    captured = capsys.readouterr()
    assert "(empty)" in captured.out
    assert captured.err == ""


def test_the_seed_repeats_and_no_empty_leaves_the_class_out(capsys):
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        assert main(["synth", "--out", name, "--seed", seed, "--no-empty", *SMALL]) == 0
    first, same, other = (
        {path.name: path.read_bytes() for path in Path(name).rglob("*") if path.is_file()} for name in "abc"
    )
    assert first == same != other
    assert '"suffix": ""' not in Path("a/train/annotations.jsonl").read_text(encoding="utf-8")


def test_without_out_nothing_is_drawn(capsys):
    assert main(["synth", *SMALL]) == 2
    assert "--out" in capsys.readouterr().err
    assert list(Path.cwd().iterdir()) == []


def test_an_existing_folder_is_refused_by_name(capsys):
    Path("set").mkdir()
    assert main(["synth", "--out", "set", *SMALL]) == 2
    captured = capsys.readouterr()
    assert "set exists already" in captured.err
    assert captured.out == ""


def test_a_file_in_the_way_is_exit_6(capsys):
    Path("file").write_text("")
    assert main(["synth", "--out", "file/set", *SMALL]) == 6
    assert "Cannot write" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "flag"), [(("--like", "x", "--images", "9"), "--images"), (("--below", "3"), "--below")]
)
def test_a_flag_without_effect_is_refused(arguments, flag, capsys):
    assert main(["synth", "--out", "set", *arguments]) == 2
    assert f"{flag} has no effect" in capsys.readouterr().err


def test_every_setting_belongs_to_one_way_of_drawing():
    assert {*FOR_A_SET, *FOR_LIKE, "like"} == set(SynthSection.model_fields)


def test_rare_classes_of_other_data_are_filled_beside_it(capsys):
    assert main(["synth", "--out", "set", *SMALL]) == 0
    before = {path: path.read_bytes() for path in Path("set").rglob("*") if path.is_file()}
    capsys.readouterr()
    assert main(["synth", "--out", "more", "--like", "set", "--below", "6", "--target", "9", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)["result"]
    assert result["like"] == "set"
    assert list(result["counts"]) == ["train"]
    assert [path.name for path in Path("more").iterdir()] == ["train"]
    assert len(list(Path("more/train").glob("*.jpg"))) == result["images"] > 0
    assert {path: path.read_bytes() for path in Path("set").rglob("*") if path.is_file()} == before
    drawn = {path.read_bytes() for path in Path("more").rglob("*.jpg")}
    assert drawn.isdisjoint(before.values())


def test_drawing_into_the_data_is_refused(capsys):
    assert main(["synth", "--out", "set", *SMALL]) == 0
    assert main(["synth", "--out", "set/train/more", "--like", "set"]) == 2
    assert "nothing is ever written into a data folder" in capsys.readouterr().err


def test_data_that_are_not_there_are_exit_3(capsys):
    assert main(["synth", "--out", "more", "--like", "nowhere"]) == 3
    assert "nowhere" in capsys.readouterr().err
