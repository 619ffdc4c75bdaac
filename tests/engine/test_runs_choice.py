from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clf_cli.engine.runs import RunRow
from clf_cli.engine.runs_choice import Filter, SortKey, filtered, in_order, parse_filter
from clf_cli.errors import UsageError

KEYS = get_args(SortKey)
WORDS = st.sampled_from(["ab", "Abc", "b", "resnet18"])
ROWS = st.lists(
    st.builds(
        RunRow,
        run=WORDS,
        name=WORDS,
        status=st.sampled_from(["finished", "running", "running?"]),
        arch=WORDS | st.none(),
        data=WORDS | st.none(),
        data_fingerprint=st.just("sha256:1"),
        image_size=st.sampled_from([32, 320]) | st.none(),
        epochs=st.integers(0, 3) | st.none(),
        metric=st.sampled_from(["val/loss", "val/acc_top1"]),
        score=st.sampled_from([0.25, 0.5]) | st.none(),
        test_score=st.sampled_from([0.25, 0.5]) | st.none(),
        seconds=st.sampled_from([1.0, 2.0]) | st.none(),
        started=st.sampled_from(["2030-01-01T00:00:00+00:00", "2030-01-02T00:00:00+00:00"]) | st.none(),
    ),
    max_size=8,
).map(lambda rows: [RunRow(**{**vars(row), "run_id": str(number)}) for number, row in enumerate(rows)])
FILTERS = st.lists(
    st.sampled_from(["arch=b", "name=A*", "size=32", "status=running", "data=1", "metric=loss"]).map(parse_filter)
)


def ids(rows):
    return [row.run_id for row in rows]


@settings(max_examples=40)
@given(rows=ROWS, key=st.sampled_from(KEYS), reverse=st.booleans())
def test_sorting_keeps_every_row_and_is_stable(rows, key, reverse):
    once = in_order(rows, key, reverse)
    assert sorted(ids(once)) == sorted(ids(rows))
    assert in_order(once, key, reverse) == once
    for earlier in once:
        for later in once[once.index(earlier) + 1 :]:
            if in_order([later, earlier], key, reverse)[0] == later:  # equal, or not in this order
                assert int(earlier.run_id or 0) < int(later.run_id or 0)


@settings(max_examples=40)
@given(rows=ROWS, key=st.sampled_from(KEYS))
def test_the_other_way_round_turns_the_values_and_leaves_the_gaps_last(rows, key):
    def shown(row):
        values = {"size": row.image_size, "duration": row.seconds, "test": row.test_score}
        return values[key] if key in values else getattr(row, key)

    for reverse in (False, True):
        known = [shown(row) is not None for row in in_order(rows, key, reverse)]
        assert known == sorted(known, reverse=True)


@settings(max_examples=40)
@given(rows=ROWS, first=FILTERS, second=FILTERS)
def test_filters_compose(rows, first, second):
    both = filtered(rows, [*first, *second])
    assert both == filtered(filtered(rows, first), second) == filtered(rows, [*second, *first])
    assert ids(both) == [i for i in ids(rows) if i in ids(both)]


@settings(max_examples=40)
@given(rows=ROWS, filters=FILTERS, key=st.sampled_from(KEYS))
def test_filtering_and_sorting_commute(rows, filters, key):
    assert in_order(filtered(rows, filters), key) == filtered(in_order(rows, key), filters)


def row(**values):
    return RunRow(run="r", **{"name": "n", "status": "finished", **values})


@pytest.mark.parametrize(
    ("key", "values", "order"),
    [
        ("score", [{"metric": "val/acc_top1", "score": s} for s in (0.5, 0.9, None, 0.7)], [1, 3, 0, 2]),
        ("score", [{"metric": "val/loss", "score": s} for s in (0.5, 0.9, 0.1)], [2, 0, 1]),  # the lowest is best
        ("test", [{"metric": "val/f1_macro", "test_score": s} for s in (0.5, 0.9, 0.7)], [1, 2, 0]),
        ("score", [{"metric": m, "score": 0.5} for m in ("val/loss", "val/acc_top1", "val/loss")], [1, 0, 2]),
        ("name", [{"name": n} for n in ("b", "a", "c")], [1, 0, 2]),
        ("size", [{"image_size": s} for s in (32, None, 224, 96)], [2, 3, 0, 1]),
        ("epochs", [{"epochs": e} for e in (1, 3, 2)], [1, 2, 0]),
        ("duration", [{"seconds": s} for s in (1.0, 3.0, 2.0)], [1, 2, 0]),
        ("started", [{"started": f"2030-01-0{d}T00:00:00+00:00"} for d in (2, 3, 1)], [1, 0, 2]),
        ("data", [{"data": d, "data_fingerprint": f} for d, f in (("b", "1"), ("a", "2"), ("a", "1"))], [2, 1, 0]),
    ],
)
def test_each_key_goes_the_way_that_people_look(key, values, order):
    rows = [row(run_id=str(number), **value) for number, value in enumerate(values)]
    assert ids(in_order(rows, key)) == [str(number) for number in order]


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("arch=resnet", True),
        ("arch=RESNET18", True),
        ("arch=resnet*", True),
        ("arch=net*", False),  # a pattern is of the whole text
        ("arch=*18", True),
        ("arch=vit", False),
        ("size=9", False),  # a number is the whole number
        ("size=96", True),
        ("size=9?", True),
        ("data=jersey", True),
        ("data=3b20", True),
        ("data=sha256:3b*", True),
        ("status=running", True),
        ("status=running?", True),
        ("status=finished", False),
        ("name=a=b", True),
        ("weights=ema", False),  # not known
    ],
)
def test_a_filter(text, matches):
    one = row(
        name="x-a=b", arch="resnet18", image_size=96, data="jerseys", data_fingerprint="sha256:3b20", status="running?"
    )
    assert parse_filter(text).matches(one) == matches


@pytest.mark.parametrize(
    ("text", "says"),
    [("arch", "not KEY=VALUE"), ("=x", "no such key"), ("arch=", "not KEY=VALUE"), ("arhc=x", "did you mean arch?")],
)
def test_a_filter_that_is_none_is_exit_2(text, says):
    with pytest.raises(UsageError) as raised:
        parse_filter(text)
    assert says in raised.value.message


def test_parsing_keeps_the_case_of_the_pattern():
    assert parse_filter("arch=ResNet18") == Filter("arch", "ResNet18")
