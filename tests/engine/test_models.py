"""Which architectures a pattern means."""

import pytest

from clf_cli.engine.models import ModelsResult, in_order, matching
from clf_cli.errors import UsageError
from clf_cli.models.catalog import Entry
from clf_cli.values.report import Report


def entry(name, parameters=None, source="timm/x", default=False):
    return Entry(name, default, 1000, 224, 224, "mit", source, parameters)


ENTRIES = (
    entry("mobilenet.a", 3),
    entry("resnet18.a1", 11, default=True),
    entry("resnet18.b_in12k", 11),
    entry("resnet50.a1", None),
    entry("seresnet18", 12, source=""),
)


def names(entries):
    return [one.name for one in entries]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        (None, [one.name for one in ENTRIES]),
        ("resnet18", ["resnet18.a1", "resnet18.b_in12k", "seresnet18"]),
        ("RESNET5", ["resnet50.a1"]),
        ("resnet*", ["resnet18.a1", "resnet18.b_in12k", "resnet50.a1"]),
        ("?eresnet1*", ["seresnet18"]),
        ("resnet[15]8", ["resnet18.a1", "resnet18.b_in12k"]),
        ("a1", None),
        (".a1", ["resnet18.a1", "resnet50.a1"]),
        ("resnet18.a1", ["resnet18.a1"]),
        ("*.*_in12k", ["resnet18.b_in12k"]),
    ],
)
def test_patterns(pattern, found):
    if found is None:
        with pytest.raises(UsageError, match=pattern):
            matching(ENTRIES, pattern, pretrained=False)
    else:
        assert names(matching(ENTRIES, pattern, pretrained=False)) == found


def test_only_published_weights():
    assert names(matching(ENTRIES, "resnet18", pretrained=True)) == ["resnet18.a1", "resnet18.b_in12k"]
    with pytest.raises(UsageError, match="has published weights") as caught:
        matching(ENTRIES, "seresnet", pretrained=True)
    assert caught.value.hint == "Leave --pretrained away."


def test_a_misspelt_name_has_near_ones():
    with pytest.raises(UsageError, match="fits 'resnt18'") as caught:
        matching(ENTRIES, "resnt18", pretrained=False)
    assert "resnet18" in caught.value.hint


def test_orders():
    assert names(in_order(ENTRIES[::-1], "name")) == names(ENTRIES)
    assert names(in_order(ENTRIES, "parameters")) == [
        "mobilenet.a",
        "resnet18.a1",
        "resnet18.b_in12k",
        "seresnet18",
        "resnet50.a1",
    ]


def test_the_report():
    report = Report(ModelsResult("1.0", ENTRIES[1:2] + ENTRIES[4:])).to_json()
    assert (report["kind"], report["result"]["timm"]) == ("models", "1.0")
    first, last = report["result"]["models"]
    assert first == {
        "name": "resnet18.a1",
        "architecture": "resnet18",
        "tag": "a1",
        "default": True,
        "parameters": 11,
        "classes": 1000,
        "input": {"height": 224, "width": 224},
        "licence": "mit",
        "source": "timm/x",
    }
    assert (last["tag"], last["source"]) == (None, None)
