"""A split keeps together what belongs together, moves nothing that was split before, and says what it moved."""

from collections import Counter, defaultdict
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clf_cli.data.samples import SPLITS, Sample
from clf_cli.data.splits import assign_splits
from clf_cli.engine.split import SplitResult, plan_split
from clf_cli.engine.split_ties import Ties
from clf_cli.errors import DataError, UsageError
from tests.drafts import draft_of, parts, policy, rows


def planned(samples, contents=None, earlier=None, **how) -> SplitResult:
    return plan_split(draft_of(samples, contents), policy(**how), earlier or {})


def sides_of(groups: dict[str, str], parts: dict[str, str]) -> dict[str, set[str]]:
    sides = defaultdict(set)
    for path, group in groups.items():
        sides[group].add(parts[path])
    return sides


def test_it_is_the_split_that_training_draws():
    samples = rows(300)
    hashes = {row.path: f"content of {row.path}" for row in samples}
    result = planned(samples, seed=3, val=0.3, test=0.1)
    assert list(result.assignments[0].splits) == list(assign_splits(samples, hashes, 3, 0.3, 0.1).splits)
    assert result.moved == ()
    assert list(result.counts()) == ["train", "val", "test"]


@given(st.lists(st.integers(0, 30), min_size=20, max_size=120), st.booleans(), st.sampled_from([None, 3]))
def test_equal_images_and_groups_are_in_one_part(draws, stratify, folds):
    samples = [Sample(f"{i}.png", str(i % 3), metadata={"game": n % 11}) for i, n in enumerate(draws)]
    contents = {f"{i}.png": str(n) for i, n in enumerate(draws)}
    result = planned(samples, contents, group_by="game", stratify=stratify, folds=folds, test=0.2)
    for assignment in result.assignments:
        split = {row.path: side for row, side in zip(samples, assignment.splits, strict=True)}
        assert all(len(found) == 1 for found in sides_of(contents, split).values())
        games = {row.path: str(row.metadata["game"]) for row in samples}
        assert all(len(found) == 1 for found in sides_of(games, split).values())
        trained = {row.label for row in samples if split[row.path] == "train"}
        assert trained == {row.label for row in samples}


@given(st.sets(st.integers(0, 199), min_size=1), st.booleans(), st.sampled_from([None, 4]))
def test_adding_images_moves_none(taken, stratify, folds):
    """Whatever is added to whatever was there, also where shares are held exactly."""
    samples = rows(200)
    before = parts(planned([samples[i] for i in sorted(taken)], stratify=stratify, folds=folds, test=0.1))
    result = planned(samples, earlier=before, stratify=stratify, folds=folds, test=0.1)
    assert result.moved == ()
    assert result.known == result.to_result()["earlier"] == len(before)
    assert {path: parts(result)[path] for path in before} == before


def test_without_what_was_before_adding_moves_none_either():
    samples = rows(400)
    before, after = parts(planned(samples[::2])), parts(planned(samples))
    assert all(after[path] == part for path, part in before.items())


def test_a_new_image_that_joins_two_clusters_moves_the_smaller_and_says_so():
    samples = [Sample(f"{name}.png", "a", metadata={"game": name[0]}) for name in ("u1", "u2", "v1")] + rows(60)
    before = {"u1.png": "train", "u2.png": "train", "v1.png": "val"}
    joining = [Sample("new1.png", "a", metadata={"game": "u"}), Sample("new2.png", "a", metadata={"game": "v"})]
    contents = {"new1.png": "same", "new2.png": "same"}
    result = planned(samples + joining, contents, before, group_by="game")
    assert [(row.path, row.earlier, row.now) for row in result.moved] == [("v1.png", "val", "train")]
    assert "is tied through others to u1.png" in result.moved[0].reason
    assert "new1.png is new and joins them" in result.moved[0].reason
    found = parts(result)
    assert found["new1.png"] == found["new2.png"] == "train"


def test_a_new_image_that_joins_one_cluster_moves_nothing():
    samples = rows(60)
    for number in range(30):  # whatever the new content is called: the least of a cluster decides where it is drawn
        before = parts(planned(samples))
        new = Sample(f"new{number}.png", "0", metadata={})
        twin = replace(samples[0], path="twin.png")
        contents = {new.path: "shared", "twin.png": "shared", samples[0].path: "shared"}
        assert planned([*samples, new, twin], contents, before).moved == ()


def test_own_splits_are_mended_and_only_what_leaks_moves():
    samples = [replace(row, split=("train", "train", "val", "test")[i % 4]) for i, row in enumerate(rows(80, 2))]
    contents = {samples[0].path: "x", samples[2].path: "x", samples[3].path: "y", samples[7].path: "y"}
    result = planned(samples, contents)
    assert [(row.path, row.earlier, row.now) for row in result.moved] == [(samples[2].path, "val", "train")]
    assert result.moved[0].reason == f"it holds the same bytes as {samples[0].path}"
    assert parts(result)[samples[7].path] == "test"


def test_most_rows_of_a_cluster_decide():
    samples = [replace(row, split="train") for row in rows(40)] + [
        replace(Sample(f"v{i}", "0"), split="val") for i in range(9)
    ]
    contents = dict.fromkeys((samples[0].path, "v0", "v1"), "x")
    result = planned(samples, contents)
    assert [(row.path, row.now) for row in result.moved] == [(samples[0].path, "val")]


def test_redraw_forgets_the_splits_of_the_data():
    samples = rows(120)
    shuffled = [replace(row, split=SPLITS[i % 3]) for i, row in enumerate(samples)]
    result = planned(shuffled, redraw=True)
    assert parts(result) == parts(planned(samples))
    assert result.moved == ()


def test_train_and_test_alone_give_a_val_out_of_train():
    samples = [replace(row, split="test" if i % 4 == 0 else "train") for i, row in enumerate(rows(400, 3))]
    found = parts(planned(samples, test=0.5))
    assert {row.path for row in samples if row.split == "test"} == {p for p, part in found.items() if part == "test"}
    assert 0.1 < Counter(found.values())["val"] / 300 < 0.3
    leaking = {samples[0].path: "x", samples[1].path: "x"}
    result = planned(samples, leaking)
    assert [(row.path, row.earlier) for row in result.moved] == [(samples[0].path, "test")]
    assert result.moved[0].now in ("train", "val")


def test_splits_without_train_are_refused():
    with pytest.raises(UsageError, match="no train"):
        planned([replace(row, split="val") for row in rows(10)])
    assert planned([replace(row, split="val") for row in rows(10)], redraw=True).counts()["train"]


def test_no_rows_are_no_split():
    with pytest.raises(DataError, match="left to split"):
        planned([], group_by="path:x")


def test_every_image_validates_once_and_never_beside_its_own_fold():
    samples = rows(200)
    result = planned(samples, folds=5, test=0.2)
    assert len(result.assignments) == 5
    for splits in zip(*(assignment.splits for assignment in result.assignments), strict=True):
        assert Counter(splits) in (Counter({"val": 1, "train": 4}), Counter({"test": 5}))
    assert list(result.counts()) == [*(f"fold-{n}" for n in range(1, 6)), "test"]
    tested = {path for path, part in parts(result).items() if part == "test"}
    assert tested == {path for path, part in parts(planned(samples, test=0.2)).items() if part == "test"}


def test_folds_leave_the_test_images_of_the_data_alone():
    samples = [replace(row, split=("train", "val", "test")[i % 3]) for i, row in enumerate(rows(90))]
    found = parts(planned(samples, folds=3))
    assert all((found[row.path] == "test") == (row.split == "test") for row in samples)


def test_a_class_with_one_image_trains_in_every_fold():
    result = planned([*rows(60), Sample("only.png", "rare")], folds=3)
    assert parts(result)["only.png"] == "train"
    assert result.kept_in_train == ("rare",)


@pytest.mark.parametrize("folds", [None, 5])
def test_stratified_shares_hold_in_every_class(folds):
    sizes = {"a": 3, "b": 5, "c": 8, "d": 20, "e": 55, "f": 200}
    samples = [Sample(f"{label}{i}.png", label) for label, count in sizes.items() for i in range(count)]
    counts = planned(samples, stratify=True, folds=folds, test=0.0 if folds else 0.1).counts()
    shares = dict.fromkeys(counts, 1 / folds) if folds else {"train": 0.7, "val": 0.2, "test": 0.1}
    for label, count in sizes.items():
        assert all(abs(counts[part][label] - share * count) <= 1 for part, share in shares.items()), label


@given(st.permutations(range(60)))
def test_the_order_of_the_rows_decides_nothing(order):
    samples = [Sample(f"{i}.png", str(i % 7 % 4), group=str(i // 4) if i < 20 else None) for i in range(60)]
    shuffled = [samples[i] for i in order]
    for how in ({}, {"stratify": True}, {"stratify": True, "folds": 3}):
        assert parts(planned(samples, **how)) == parts(planned(shuffled, **how))


def test_the_report_counts_what_it_split():
    samples = [Sample("x.png", ""), *rows(50)]
    result = planned(samples, {"0000.png": "x", "0004.png": "x", "0008.png": "x"})
    told = result.to_result()
    assert told["images"] == 51 == sum(told["parts"].values())
    assert told["tied"] == {"clusters": 1, "images": 3}
    assert [row["class"] for row in told["classes"]] == ["", "0", "1", "2", "3"]
    assert told["kept_in_train"] == list(result.kept_in_train)
    assert told["policy"]["val_fraction"] == 0.2
    assert told["files"] == []


def test_reasons_of_large_groups_cost_no_look_at_every_other_row(monkeypatch):
    looks = Counter()
    of = Ties._of
    monkeypatch.setattr(Ties, "_of", lambda ties, index: looks.update(rows=1) or of(ties, index))
    samples = [replace(row, split=SPLITS[i % 2], group=f"g{i % 2}") for i, row in enumerate(rows(600))]
    result = planned(samples, dict.fromkeys((samples[0].path, samples[1].path), "ties both groups"))
    assert len(result.moved) == 300
    assert looks["rows"] < 3 * 600
