from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clf_cli.data.dataset import load_run_dataset
from clf_cli.engine import paired
from clf_cli.engine.paired import answerable, pair_findings, predict_both
from clf_cli.engine.predict_split import predict_split
from clf_cli.errors import DataError
from clf_cli.settings.sections import DataSection
from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import Preprocess
from tests.onnx_models import CONTRACT, linear
from tests.running import draw_discs

COLORS = Labels(("blue", "green", "red"))


def model(labels=COLORS, size=8, seed=0, **changes):
    contract = replace(CONTRACT, labels=labels, preprocess=Preprocess(size, size), **changes)
    return linear(len(labels), seed).classifier(contract)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = draw_discs(tmp_path_factory.mktemp("paired") / "discs", {"train": 1, "val": 3})
    return load_run_dataset(None, DataSection(root=root), COLORS)


def test_both_answer_as_they_do_alone(dataset):
    a, b = model(), model(Labels(("red", "pink", "blue", "green")), seed=1)
    for other in (b, replace(b, preprocess=Preprocess(8, 12))):
        found = predict_both(a, other, dataset, "val")
        for one, alone in zip(
            found, (predict_split(a, dataset, "val"), predict_split(other, dataset, "val")), strict=True
        ):
            assert one.paths == alone.paths
            assert one.labels == alone.labels
            assert np.array_equal(one.targets, alone.targets)
            assert np.array_equal(one.logits, alone.logits)


def test_an_image_is_decoded_once_where_both_preprocess_alike(dataset, monkeypatch):
    opened: list[Path] = []

    def counted(*arguments, **options):
        opened.append(arguments[1])
        return predict_split(*arguments, **options)

    monkeypatch.setattr(paired, "predict_split", counted)
    predict_both(model(), model(seed=1), dataset, "val")
    assert len(opened) == 1
    predict_both(model(), model(size=12), dataset, "val")
    assert len(opened) == 3


def test_classes_that_one_lacks_are_named_or_left_out(dataset):
    fewer = Labels(("red", "green"))
    with pytest.raises(DataError, match='class "blue" is not a class of B, runs/b') as error:
        answerable(dataset, fewer, "error", "B, runs/b")
    assert "--on-unknown-class skip" in str(error.value.hint)
    kept = answerable(dataset, fewer, "skip", "B, runs/b")
    assert {sample.label for sample in kept.samples} == {"red", "green"}
    assert len(kept.split("val")) + len(kept.skipped_in("val")) == len(dataset.split("val"))
    assert answerable(dataset, Labels(("x", *COLORS)), "error", "B") == dataset


def test_findings_name_the_model():
    validated = model(score=None)
    found = pair_findings((("runs/a", validated), ("runs/b", validated)), "sha256:00")
    assert [(finding["path"], finding["category"]) for finding in found] == [
        ("runs/a", "validation"),
        ("runs/b", "validation"),
    ]


@pytest.mark.parametrize(
    ("trained_on", "warned"),
    [
        (("sha256:00", "sha256:00"), []),
        (("sha256:00", "sha256:11"), ["b"]),
        (("sha256:11", "sha256:00"), ["a"]),
        (("sha256:11", "sha256:11"), []),
        (("sha256:00", None), []),
        ((None, "sha256:22"), []),
    ],
)
def test_who_may_have_learnt_from_the_images(trained_on, warned):
    named = tuple(
        (name, model(data_fingerprint=own, score=CONTRACT.score)) for name, own in zip("ab", trained_on, strict=True)
    )
    found = pair_findings(named, "sha256:00")
    assert [finding["path"] for finding in found if finding["category"] == "data"] == warned
