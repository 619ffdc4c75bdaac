"""Assignment is a function of seed, class and content: nothing else may move an image."""

from collections import Counter, defaultdict
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from clf_cli.data.samples import Sample
from clf_cli.data.splits import assign_splits, subset


def rows(count: int, classes: int = 4) -> list[Sample]:
    return [Sample(f"{i}.png", str(i % classes)) for i in range(count)]


def hashes_of(samples: list[Sample]) -> dict[str, str]:
    return {sample.path: f"content of {sample.path}" for sample in samples}


def assigned(samples, hashes=None, seed=0, val=0.2, test=0.0) -> dict[str, str]:
    result = assign_splits(samples, hashes or hashes_of(samples), seed, val, test)
    return {sample.path: split for sample, split in zip(samples, result.splits, strict=True)}


def test_shares_hold_in_expectation():
    counts = Counter(assigned(rows(6000), val=0.2, test=0.1).values())
    assert abs(counts["val"] / 6000 - 0.2) < 0.02
    assert abs(counts["test"] / 6000 - 0.1) < 0.015


def test_adding_and_removing_images_moves_none():
    many = rows(400)
    before, after = assigned(many[::2]), assigned(many)
    assert all(after[path] == split for path, split in before.items())


@given(st.permutations(range(40)), st.integers(0, 5))
def test_order_and_names_decide_nothing(order, seed):
    samples = rows(40)
    hashes = hashes_of(samples)
    before = assigned(samples, seed=seed)
    assert assigned([samples[i] for i in order], seed=seed) == before
    renamed = [replace(sample, path=f"moved/{sample.path}") for sample in samples]
    moved = assigned(renamed, {f"moved/{path}": content for path, content in hashes.items()}, seed)
    assert [moved[f"moved/{path}"] for path in before] == list(before.values())


def test_the_seed_decides():
    assert assigned(rows(100), seed=0) != assigned(rows(100), seed=1)


def test_a_larger_val_share_keeps_the_smaller_one():
    small, large = assigned(rows(500), val=0.1), assigned(rows(500), val=0.3)
    assert all(large[path] == "val" for path, split in small.items() if split == "val")


def test_a_test_share_takes_nothing_from_val():
    without, taken = assigned(rows(500), val=0.2), assigned(rows(500), val=0.2, test=0.2)
    assert [p for p, s in without.items() if s == "val"] == [p for p, s in taken.items() if s == "val"]


def test_equal_files_stay_on_one_side():
    samples = rows(300)
    hashes = {sample.path: f"content {i // 3}" for i, sample in enumerate(samples)}
    sides = defaultdict(set)
    for path, split in assigned(samples, hashes).items():
        sides[hashes[path]].add(split)
    assert all(len(found) == 1 for found in sides.values())


def test_groups_stay_on_one_side_and_may_grow():
    samples = [replace(sample, group=str(i // 6)) for i, sample in enumerate(rows(300))]
    after = assigned(samples)
    sides = defaultdict(set)
    for sample in samples:
        sides[sample.group].add(after[sample.path])
    assert all(len(found) == 1 for found in sides.values())
    assert {"train", "val"} == {split for found in sides.values() for split in found}
    before = assigned([sample for i, sample in enumerate(samples) if i % 6 >= 3])
    assert all(after[path] == split for path, split in before.items())


def test_a_group_and_a_copy_in_another_group_are_one_cluster():
    samples = [Sample(f"{i}.png", str(i % 3), group=f"g{i}") for i in range(60)]
    hashes = {sample.path: f"c{i // 2}" for i, sample in enumerate(samples)}
    after = assigned(samples, hashes, val=0.5)
    assert all(after[f"{i}.png"] == after[f"{i + 1}.png"] for i in range(0, 60, 2))


def test_a_class_is_never_wholly_outside_train():
    samples = [Sample(f"{i}.png", str(i)) for i in range(50)] + [Sample(f"m{i}.png", "many") for i in range(50)]
    result = assign_splits(samples, hashes_of(samples), 0, 0.5, 0.2)
    assert all(split == "train" for split in result.splits[:50])
    assert {"train", "val", "test"} == set(result.splits[50:])
    assert result.kept_in_train
    assert "many" not in result.kept_in_train


@given(st.floats(0.01, 1.0), st.integers(0, 3))
def test_a_subset_is_stratified(share, seed):
    samples = [*rows(90, classes=4), Sample("rare.png", "rare")]
    taken = subset(samples, hashes_of(samples), seed, share)
    counts, whole = Counter(s.label for s in taken), Counter(s.label for s in samples)
    assert all(counts[label] == max(1, round(share * whole[label])) for label in whole)
    assert [s for s in samples if s in taken] == list(taken)


def test_a_larger_subset_holds_the_smaller():
    samples = rows(200)
    small, large = (subset(samples, hashes_of(samples), 0, share) for share in (0.1, 0.5))
    assert {s.path for s in small} <= {s.path for s in large}
    assert {s.path for s in small} != {s.path for s in subset(samples, hashes_of(samples), 1, 0.1)}
