"""A baseline is read back as it was written, line by line, and survives lines that move in a manifest."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from clf_cli.data.codes import CODES
from clf_cli.data.dataset import survey_dataset
from clf_cli.data.samples import Finding
from clf_cli.engine.dataset_baseline import Entry, Identity, read_baseline, write_baseline
from clf_cli.errors import RunError, UsageError
from clf_cli.settings.sections import DataSection

TEXT = st.text(min_size=1)
KINDS = st.sampled_from(sorted(CODES))
ENTRIES = st.builds(Entry, KINDS, TEXT) | st.builds(Entry, KINDS, st.just("") | TEXT, TEXT)


@given(st.frozensets(ENTRIES))
@example(frozenset({Entry("CLF603", "not-utf8-\udcff.png")}))
@example(frozenset({Entry("CLF401", "a.png"), Entry("CLF401", "a.png", nth=2)}))
def test_read_back_as_written(tmp_path_factory, entries):
    path = tmp_path_factory.mktemp("baseline") / "b.json"
    write_baseline(path, entries)
    assert read_baseline(path) == entries


def test_one_entry_a_line_in_a_fixed_order(tmp_path):
    path = tmp_path / "b.json"
    entries = [Entry("CLF505", reason='class "6" has no val image'), Entry("CLF401", "é.png"), Entry("CLF401", "a.png")]
    write_baseline(path, entries)
    text = path.read_text(encoding="utf-8")
    lines = [line.strip().rstrip(",") for line in text.splitlines() if '"code"' in line]
    assert [json.loads(line).get("place") for line in lines] == ["a.png", "é.png", None]
    assert "é" in text
    write_baseline(path, reversed(entries))
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "no baseline of clf"),
        ('{"kind": "dataset"}', "no baseline of clf"),
        ('{"kind": "baseline", "schema_version": 2, "accepted": []}', "another version"),
        ('{"kind": "baseline", "schema_version": 1}', "no list"),
        ('{"kind": "baseline", "schema_version": 1, "accepted": [7]}', "Entry 1"),
        ('{"kind": "baseline", "schema_version": 1, "accepted": [{"code": "CLF000", "place": "x"}]}', "CLF000"),
        ('{"kind": "baseline", "schema_version": 1, "accepted": [{"code": "CLF401"}]}', "place"),
        ('{"kind": "baseline", "schema_version": 1, "accepted": [{"code": "CLF401", "place": 1}]}', "strings"),
    ],
)
def test_what_is_no_baseline_is_named(tmp_path, text, message):
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as error:
        read_baseline(path)
    assert str(path) in error.value.message


def test_a_baseline_that_cannot_be_written_names_its_own_flag(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError) as error:
        write_baseline(tmp_path / "file" / "b.json", [])
    assert "--baseline" in (error.value.hint or "")


def test_a_folder_is_no_baseline(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read_baseline(tmp_path)


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("CLF_CACHE_DIR", str(tmp_path / "cache"))
    for value, name in enumerate("abc"):
        Image.new("RGB", (20 + value, 20)).save(tmp_path / f"{name}.png")
    return tmp_path / "rows.jsonl"


def write_rows(manifest: Path, *names: str) -> None:
    rows = [{"image": f"{name}.png", "label": name, "split": "train"} for name in names]
    manifest.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def test_lines_of_a_manifest_may_move(manifest):
    found = {}
    for names in ("abc", "cba"):
        write_rows(manifest, *names)
        identity = Identity(survey_dataset(DataSection(root=manifest), 0))
        line = names.index("b") + 1
        found[names] = identity.entries(Finding.of("CLF411", f"rows.jsonl:{line}", "again"))
    assert found["abc"] == found["cba"] == (Entry("CLF411", "b.png"),)


def test_a_line_that_is_no_row_stays_a_line_and_the_whole_set_a_sentence(manifest):
    write_rows(manifest, "a", "b")
    identity = Identity(survey_dataset(DataSection(root=manifest), 0))
    assert identity.entries(Finding.of("CLF201", "rows.jsonl:9", "not JSON")) == (Entry("CLF201", "rows.jsonl:9"),)
    assert identity.entries(Finding.of("CLF507", "", "uneven")) == (Entry("CLF507", reason="uneven"),)


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_lines_that_cannot_be_used_may_move_and_a_new_one_is_new(manifest, kind):
    """They give no row, and so no image that they could be known by."""
    manifest = manifest.with_suffix(f".{kind}")
    head, row, bad = {
        "jsonl": ("", '{"image": "%s.png", "label": "%s"}', '{"image": "a.png", "label": %d}'),
        "csv": ("image,label\n", "%s.png,%s", "a.png,%d,more"),
    }[kind]

    def entries(*lines: str) -> list[Entry]:
        manifest.write_text(head + "".join(f"{line}\n" for line in lines))
        dataset = survey_dataset(DataSection(root=manifest), 0)
        refused = [finding for finding in dataset.findings if finding.code in ("CLF201", "CLF203")]
        identity = Identity(dataset, refused)
        return [entry for finding in refused for entry in identity.entries(finding)]

    rows = [row % (name, name) for name in "abc"]
    before = entries(*rows, bad % 7, bad % 8)
    assert entries("", bad % 8, *rows, bad % 7) == before[::-1]
    assert {entry.place.split("#")[0] for entry in before} == {manifest.name}
    changed = entries(bad % 9, *rows, bad % 8)
    assert [entry in before for entry in changed] == [False, True]
    twice = entries(bad % 7, *rows, bad % 7, bad % 8)
    assert [entry in before for entry in twice] == [True, False, True]


def test_one_more_row_of_an_accepted_image_is_new(manifest):
    write_rows(manifest, "a", "b")
    identity = Identity(survey_dataset(DataSection(root=manifest), 0))
    accepted = identity.entries(Finding.of("CLF301", "a.png", "two labels", others=("rows.jsonl:1",)))
    more = identity.entries(Finding.of("CLF301", "a.png", "three labels", others=("rows.jsonl:1", "rows.jsonl:1")))
    assert [entry in accepted for entry in more] == [True, True, False]


def test_a_folder_that_holds_more_than_was_accepted_is_new(manifest):
    write_rows(manifest, "a", "b")
    identity = Identity(survey_dataset(DataSection(root=manifest), 0))
    few, many = (
        identity.entries(Finding.of("CLF207", "new", f"unnamed: {count}", others=("new/1.png",), count=count))
        for count in (30, 31)
    )
    assert [entry in few for entry in many] == [False, True]
