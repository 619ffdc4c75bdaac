"""The gate fails on what it is told to fail on, and its default on nothing but what training refuses."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clf_cli.data.codes import CATEGORIES, CODES, SEVERITIES, WORDS
from clf_cli.data.dataset import Dataset, load_dataset, survey_dataset
from clf_cli.data.samples import Finding, refused
from clf_cli.engine.dataset_baseline import Entry, write_baseline
from clf_cli.engine.dataset_findings import all_findings
from clf_cli.engine.dataset_gate import Verdict, judge, not_searched, open_gate, require_searched
from clf_cli.errors import CheckFailedError, DataError, UsageError
from clf_cli.settings.data_sections import GateSection, InspectSection
from clf_cli.settings.sections import DataSection

ANY_FINDING = st.builds(
    lambda code, severity: Finding.of(code, "a.png", "x", severity=severity),
    st.sampled_from(sorted(CODES)),
    st.sampled_from(SEVERITIES),
)


@pytest.fixture
def root(tmp_path: Path, monkeypatch) -> Path:
    """Train: 12 cat, 4 dog; val: 1 cat, with the bytes of a train image."""
    monkeypatch.setenv("CLF_CACHE_DIR", str(tmp_path / "cache"))
    data = tmp_path / "data"
    names = [*(f"train/cat/{i}" for i in range(12)), *(f"train/dog/{i}" for i in range(4)), "val/cat/0"]
    for value, name in enumerate(names):
        path = data / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20 + value, 20), (value * 10, 99, 200)).save(path)
    (data / "val/cat/0.png").write_bytes((data / "train/cat/0.png").read_bytes())
    return data


def surveyed(root: Path, **policies) -> Dataset:
    return survey_dataset(DataSection(root=root, **policies), 0)


def judged(dataset: Dataset, findings=None, update=False, **asked) -> Verdict:
    section = InspectSection(near_duplicates=False)
    found = all_findings(dataset, section) if findings is None else findings
    return judge(dataset, found, open_gate(GateSection(**asked), update), not_searched(section))


@given(ANY_FINDING)
def test_the_default_fails_on_what_training_refuses(found):
    fails = open_gate(GateSection()).outcome(found) == "failed"
    assert fails == (found in refused([found]))


@given(ANY_FINDING, st.sampled_from(WORDS))
def test_a_word_is_a_severity_a_category_or_a_code(found, word):
    gate = open_gate(GateSection(fail_on=(word,)))
    named = word in (found.severity, found.category, found.code)
    limit = found.code in ("CLF506", "CLF507") and found.severity == "error"  # fails under every word
    assert (gate.outcome(found) == "failed") == (named or limit)


def test_the_gate_and_training_agree_on_real_files(root):
    assert judged(surveyed(root)).passed
    load_dataset(DataSection(root=root), 0)
    (root / "train/dog/zero.png").touch()
    with pytest.raises(CheckFailedError, match=r"CLF102 \(1\)\. Training refuses it") as error:
        judged(surveyed(root)).raise_if_failed(root)
    assert error.value.exit_code == 1
    assert "--on-bad-image skip" in str(error.value.hint)
    with pytest.raises(DataError):
        load_dataset(DataSection(root=root), 0)
    assert judged(surveyed(root, on_bad_image="skip")).passed


def test_giving_words_replaces_the_default(root):
    (root / "train/dog/zero.png").touch()
    verdict = judged(surveyed(root), fail_on=("leak",))
    assert verdict.counts("failed") == {"CLF401": 2}
    with pytest.raises(CheckFailedError) as error:
        verdict.raise_if_failed(root)
    assert "Training refuses" not in error.value.message


def test_warnings_do_not_fail(root):
    verdict = judged(surveyed(root), warn_on=("leak", "info"))
    assert verdict.passed
    assert verdict.counts("warned")["CLF401"] == 2


def test_what_fails_is_not_warned_of(root):
    verdict = judged(surveyed(root), fail_on=("CLF401",), warn_on=("warning",))
    assert (verdict.counts("failed"), verdict.counts("warned")) == ({"CLF401": 2}, {})


@pytest.mark.parametrize(("limit", "fails"), [(2.9, True), (3, False), (50, False), (None, False)])
def test_max_imbalance(root, limit, fails):
    verdict = judged(surveyed(root), max_imbalance=limit)
    assert verdict.passed != fails
    assert [item.finding.severity for item in verdict.judged if item.finding.code == "CLF507"] == ["error"] * fails


def test_a_class_that_lost_all_its_images_has_fewer_than_any_least_number(root):
    for path in (root / "train/dog").iterdir():
        path.write_bytes(b"broken")
    bird = root / "train/bird/0.png"
    bird.parent.mkdir()
    Image.new("RGB", (70, 20)).save(bird)
    verdict = judged(surveyed(root, on_bad_image="skip"), min_per_class=1)
    assert [item.finding.reason for item in verdict.of("failed")] == ['class "dog" has 0 train images, fewer than 1']


@pytest.mark.parametrize(("least", "classes"), [(4, []), (5, ["dog"]), (13, ["cat", "dog"])])
def test_min_per_class(root, least, classes):
    verdict = judged(surveyed(root), min_per_class=least)
    assert [f'"{name}"' in item.finding.reason for name, item in zip(classes, verdict.of("failed"), strict=True)] == [
        True
    ] * len(classes)
    told = [item.finding.reason.split('"')[1] for item in verdict.judged if item.finding.code == "CLF506"]
    assert sorted(told) == sorted({*classes, "dog"})  # once each; four images are few without a limit too


def test_training_knows_no_limits(root):
    with pytest.raises(CheckFailedError) as error:
        judged(surveyed(root), min_per_class=5).raise_if_failed(root)
    assert "Training" not in error.value.message
    load_dataset(DataSection(root=root), 0)


def test_a_crossed_limit_fails_under_any_words_but_none(root):
    dataset = surveyed(root)
    assert not judged(dataset, fail_on=("conflict",), min_per_class=5).passed
    assert judged(dataset, fail_on=("none",), min_per_class=5).passed
    assert judged(dataset, fail_on=("none",)).gate.fail_on == frozenset()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"fail_on": ("leek",)}, 'no such severity, category or code: "leek"; did you mean leak'),
        ({"warn_on": ("CLF4",)}, "did you mean CLF401"),
        ({"fail_on": ("dup",)}, "did you mean duplicate"),
        ({"warn_on": ("CLF4",)}, "--warn-on"),
        ({"fail_on": ("",)}, "--fail-on"),
        ({"fail_on": ("none", "leak")}, "none stands alone"),
        ({"fail_on": ("leak",), "warn_on": ("LEAK",)}, "both name leak"),
    ],
)
def test_wrong_words(asked, message):
    with pytest.raises(UsageError, match=message):
        open_gate(GateSection(**asked))


def test_words_in_any_case():
    assert open_gate(GateSection(fail_on=("Clf401", " LEAK "))).fail_on == {"CLF401", "leak"}


def test_words_are_told_apart():
    assert len(set(WORDS)) == len(WORDS)
    assert {code.category for code in CODES.values()} == set(CATEGORIES)


def test_a_baseline_accepts_what_it_holds_and_nothing_else(root, tmp_path):
    baseline = tmp_path / "accepted.json"
    gate = {"fail_on": ("leak", "balance"), "baseline": baseline}
    first = judged(surveyed(root), update=True, **gate)
    assert first.passed
    assert first.counts("accepted") == {"CLF401": 2, "CLF505": 1, "CLF506": 1}
    write_baseline(baseline, first.entries)
    assert judged(surveyed(root), **gate).passed
    (root / "val/cat/1.png").write_bytes((root / "train/cat/1.png").read_bytes())
    again = judged(surveyed(root), **gate)
    assert [item.finding.path for item in again.of("failed")] == ["train/cat/1.png"]
    assert again.stale == ()
    assert "CLF401" in again.counts("accepted")


def test_of_a_group_that_grew_the_new_places_fail(root, tmp_path):
    baseline = tmp_path / "accepted.json"
    write_baseline(baseline, [Entry("CLF707", "a.png"), Entry("CLF707", "c.png")])
    found = Finding.of("CLF707", "a.png", "blurred", others=("b.png", "c.png", "d.png"))
    (item,) = judged(surveyed(root), [found], fail_on=("quality",), baseline=baseline).of("failed")
    assert (item.accepted, item.new.places, item.new.count) == (("a.png", "c.png"), ("b.png", "d.png"), 2)
    assert item.finding == found


def test_a_finding_of_many_places_is_judged_in_time(root, tmp_path):
    baseline = tmp_path / "accepted.json"
    names = [f"{number}.png" for number in range(30_000)]
    write_baseline(baseline, [Entry("CLF707", name) for name in names[1:]])
    found = Finding.of("CLF707", names[0], "blurred", others=tuple(names[1:]))
    before = time.process_time()
    (item,) = judged(surveyed(root), [found], fail_on=("quality",), baseline=baseline).of("failed")
    assert item.new.places == (names[0],)
    assert time.process_time() - before < 10  # a set for each place would take minutes


def test_stale_entries_are_told_and_taken_out(root, tmp_path):
    baseline = tmp_path / "accepted.json"
    gone, there = Entry("CLF401", "gone.png"), Entry("CLF401", "val/cat/0.png")
    unsearched = Entry("CLF402", "near.png")
    write_baseline(baseline, [gone, there, unsearched])
    verdict = judged(surveyed(root), fail_on=("leak",), baseline=baseline)
    assert verdict.stale == (gone,)  # near duplicates were not looked for
    renewed = judged(surveyed(root), update=True, fail_on=("leak",), baseline=baseline)
    assert renewed.entries == {there, Entry("CLF401", "train/cat/0.png"), unsearched}
    assert any("3 accepted, 1 of them new; 1 removed" in note for note in renewed.notes())


def test_accepting_an_error_changes_nothing_for_training(root, tmp_path):
    (root / "train/dog/zero.png").touch()
    verdict = judged(surveyed(root), update=True, baseline=tmp_path / "accepted.json")
    assert verdict.passed
    assert any("training stops" in note for note in verdict.notes())


@pytest.mark.parametrize(
    ("words", "codes"),
    [
        (("CLF402",), ["CLF402"]),
        (("leak",), ["CLF402"]),
        (("suspect",), ["CLF901"]),
        (("info",), []),
        (("CLF401",), []),
    ],
)
def test_a_gate_that_waits_for_what_is_not_looked_for_says_so(root, words, codes):
    for asked in ({"fail_on": words}, {"warn_on": words}):
        notes = judged(surveyed(root), **asked).notes()
        assert [note.split()[3] for note in notes if note.startswith("Not looked for")] == codes


@pytest.mark.parametrize(
    ("word", "step"), [("CLF402", "--no-near-duplicates"), ("suspect", "--model"), ("CLF901", "--model")]
)
def test_a_gate_that_could_only_pass_is_refused(word, step):
    skipped = not_searched(InspectSection(near_duplicates=False))
    with pytest.raises(UsageError, match="always pass") as error:
        require_searched(open_gate(GateSection(fail_on=(word,))), skipped)
    assert step in str(error.value.hint)
    for passing in ("leak", "error", "none"):  # the same image in two splits is looked for
        require_searched(open_gate(GateSection(fail_on=(passing,))), skipped)
    require_searched(open_gate(GateSection(warn_on=(word,))), skipped)


def test_a_baseline_that_is_not_there_or_not_wanted(tmp_path):
    with pytest.raises(UsageError, match="no baseline") as error:
        open_gate(GateSection(baseline=tmp_path / "none.json"))
    assert "--update-baseline" in str(error.value.hint)
    with pytest.raises(UsageError, match="names nothing"):
        open_gate(GateSection(fail_on=("none",)), update=True)
    other = tmp_path / "other.json"
    other.write_text("{}")
    with pytest.raises(UsageError, match="no baseline of clf"):  # it would be overwritten
        open_gate(GateSection(baseline=other), update=True)


def test_the_verdict_as_json(root):
    told = judged(surveyed(root), fail_on=("leak", "error"), min_per_class=5).to_json()
    assert told["passed"] is False
    assert told["fail_on"] == ["error", "leak"]
    assert told["failed"] == {"CLF401": 2, "CLF506": 1}
    assert told["not_searched"].keys() == {"CLF302", "CLF303", "CLF402", "CLF412", "CLF901"}
