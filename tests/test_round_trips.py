"""What is written is read again as it was: settings, labels, reports, preprocessing, contracts, records."""

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, get_args

import numpy as np
import pytest
from annotated_types import Ge, Gt, Le, Lt
from hypothesis import given
from hypothesis import settings as with_options
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clf_cli.data.dataset import Dataset, write_splits
from clf_cli.data.run_splits import read_splits
from clf_cli.data.samples import Sample
from clf_cli.errors import ModelError
from clf_cli.files import json_text
from clf_cli.settings import kinds
from clf_cli.settings.judge import twin
from clf_cli.settings.load import read_settings, to_toml
from clf_cli.settings.resolved import ONE_START
from clf_cli.settings.root import FLAG_ONLY, SECTIONS, Setting, Settings, all_settings
from clf_cli.training.record import write_record
from clf_cli.values.contract import CONTRACT_KEY, Contract, Score, labels_mapping
from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import Preprocess
from clf_cli.values.report import DataRef, ModelRef, Report, plain
from clf_cli.values.run_dir import RunDir
from clf_cli.values.run_record import FORMAT_VERSION, RunRecord, read_record

quick = with_options(derandomize=True, deadline=None, max_examples=40)
text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
paths = st.text(st.characters(codec="utf-8", exclude_characters="\0\\~"), min_size=1, max_size=8).map(Path)
labels = st.lists(st.text(st.characters(codec="utf-8"), max_size=5), min_size=1, max_size=6, unique=True).map(
    lambda names: Labels(tuple(names))
)


# Settings: every setting, anywhere within its bounds


def number(setting: Setting, whole: bool) -> st.SearchStrategy[Any]:
    """Numbers within the bounds that the setting's type declares."""
    field = twin(SECTIONS[setting.section]).model_fields[setting.key]
    stated = [*field.metadata, *(item for one in get_args(field.annotation) for item in nested(one))]
    low = max(
        (float(item.ge if isinstance(item, Ge) else item.gt) for item in stated if isinstance(item, (Ge, Gt))),
        default=-1e9,
    )
    high = min(
        (float(item.le if isinstance(item, Le) else item.lt) for item in stated if isinstance(item, (Le, Lt))),
        default=1e9,
    )
    bottom, top = any(isinstance(item, Gt) for item in stated), any(isinstance(item, Lt) for item in stated)
    if whole:
        return st.integers(int(low) + bottom, int(high) - top)
    return st.floats(low, high, exclude_min=bottom, exclude_max=top, allow_subnormal=False)


def nested(annotation: Any) -> list[Any]:
    """Constraints inside a union's members."""
    metadata = getattr(annotation, "__metadata__", ())
    return [constraint for item in metadata for constraint in [item, *getattr(item, "metadata", ())]]


def drawn(setting: Setting) -> st.SearchStrategy[Any]:
    """Any value that the setting takes."""
    schema = SECTIONS[setting.section].model_json_schema()["properties"][setting.key]
    choices: list[st.SearchStrategy[Any]] = []
    for kind in schema.get("anyOf", [schema]):
        words = kind.get("enum", [kind["const"]] if "const" in kind else [])
        if kind.get("type") == "array":
            items = kind["items"]
            if items.get("type") == "string":
                known = st.sampled_from(items.get("enum", ["error", "leak", "CLF402"]))
            else:
                known = st.integers(items["exclusiveMinimum"] + 1, 999)
            choices.append(st.lists(known, unique=True, min_size=kind.get("minItems", 0)).map(tuple))
        elif words:
            choices.append(st.sampled_from(words))
        elif kind["type"] == "null":
            choices.append(st.none())
        elif kind["type"] == "boolean":
            choices.append(st.booleans())
        elif kind["type"] in ("integer", "number"):
            choices.append(number(setting, kind["type"] == "integer"))
        elif kind.get("format") == "path":
            choices.append(paths)
        elif "pattern" in kind:
            choices.append(st.sampled_from(["auto", "cpu", "mps", "cuda", "cuda:3"]))
        else:
            choices.append(text.filter(bool))
    return st.one_of(choices)


drawable = [setting for setting in all_settings() if setting.path not in {*ONE_START, *FLAG_ONLY}]
sections = {
    name: st.fixed_dictionaries({setting.key: drawn(setting) for setting in drawable if setting.section == name})
    for name in SECTIONS
}
any_settings = st.fixed_dictionaries(sections).map(Settings.model_validate)
sources = st.dictionaries(st.sampled_from([setting.path for setting in drawable]), text, max_size=3)


@quick
@given(any_settings, sources)
def test_settings_and_toml(tmp_path_factory, settings, origin):
    """All of them at once, `auto` and None among them, whatever the sources are called."""
    path = tmp_path_factory.mktemp("toml") / "settings.toml"
    path.write_bytes(to_toml(settings, origin).encode())
    assert read_settings(path) == settings


def test_every_setting_is_drawn():
    """The strategy above must not quietly draw defaults only."""
    seen: dict[str, set[str]] = {setting.path: set() for setting in all_settings()}

    @with_options(derandomize=True, deadline=None, max_examples=20, database=None)
    @given(any_settings)
    def collect(settings):
        for setting in all_settings():
            seen[setting.path].add(kinds.shown(dict(dict(settings)[setting.section])[setting.key]))

    collect()
    assert {path for path, values in seen.items() if len(values) < 2} == {*ONE_START, *FLAG_ONLY}


# Values


@quick
@given(labels)
def test_labels_and_json(names):
    assert Labels(tuple(json.loads(json_text(list(names))))) == names


channel = st.floats(0.001, 1)
preprocesses = st.builds(
    Preprocess,
    height=st.integers(1, 2048),
    width=st.integers(1, 2048),
    resize_mode=st.sampled_from(["squash", "crop", "letterbox"]),
    interpolation=st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos"]),
    crop_share=st.floats(0.25, 1),  # smaller ones of a large input are refused
    mean=st.tuples(channel, channel, channel),
    std=st.tuples(channel, channel, channel),
    background=st.tuples(*[st.integers(0, 255)] * 3),
)


@quick
@given(preprocesses)
def test_preprocessing_and_json(preprocess):
    assert Preprocess.from_json(json.loads(json_text(preprocess.to_json()))) == preprocess


@quick
@given(labels, preprocesses, st.none() | st.floats(0, 1), text)
def test_contract_and_both_of_its_places(names, preprocess, value, run_id):
    """The ONNX metadata and the file beside it say the same."""
    score = Score("val/acc_top1", "val", value, "ema")
    contract = Contract(names, preprocess, "resnet18", "ema", score, run_id, "sha256:0", "0.1.0")
    assert Contract.from_json(json.loads(contract.metadata()[CONTRACT_KEY])) == contract
    mapping = json.loads(json_text(labels_mapping(contract)))
    assert Contract.from_json(mapping["contract"]) == contract
    assert [mapping["idx_to_class"][str(index)] for index in range(len(names))] == list(names)


# Reports


@dataclass(frozen=True)
class Anything:
    kind: ClassVar[str] = "anything"
    values: Any

    def to_result(self):
        return {"values": self.values}


numbers = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(), text,
    st.floats().map(np.float64), st.floats(width=32).map(np.float32), st.integers(0, 99).map(np.int64),
    arrays(np.float32, st.tuples(st.integers(0, 2), st.integers(0, 3)), elements=st.floats(width=32)),
)  # fmt: skip
results = st.recursive(
    numbers,
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)


def refuse(token):
    raise AssertionError(f"{token} in a report")


@quick
@given(results)
def test_reports_and_json(values):
    """Strict JSON, whatever was computed; a second pass changes nothing."""
    report = Report(Anything(values), ModelRef("a", "b", "ema", None), DataRef("c", "val", "d", 1, 0))
    document = json.loads(json_text(report.to_json()), parse_constant=refuse)
    assert document == report.to_json()
    assert plain(document) == document
    assert set(document) == {"schema_version", "kind", "clf", "model", "data", "result", "findings"}


@quick
@given(st.lists(st.floats(), max_size=5))
def test_undefined_is_null_and_nothing_else_is(values):
    assert [value is None for value in plain(np.array(values))] == [not math.isfinite(value) for value in values]


# Files of a run

records = st.builds(
    RunRecord,
    run_id=text,
    command=st.lists(text, max_size=4).map(tuple),
    seed=st.integers(0, 2**31 - 1),
    device=st.sampled_from(["cpu", "cuda:1", "mps"]),
    threads=st.integers(1, 64),
    workers=st.integers(0, 64),
    precision=st.sampled_from(["fp32", "bf16", "fp16"]),
    data_fingerprint=text,
    status=st.sampled_from(["running", "finished", "interrupted", "failed"]),
    extended_from=st.none() | st.integers(1, 99),
    best_epoch=st.none() | st.integers(1, 99),
    validated=st.booleans(),
)


@with_options(derandomize=True, deadline=None, max_examples=15)  # each is synced to the disk
@given(records)
def test_record_and_run_json(tmp_path_factory, record):
    run = RunDir(tmp_path_factory.mktemp("run"))
    write_record(run, record)
    assert read_record(run) == record
    document = json.loads(run.run_json.read_text(encoding="utf-8"))
    assert document["format_version"] == FORMAT_VERSION
    assert {"clf", "python", "libraries"} <= set(document)


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", "null", '{"format_version": 1}', "ff"])
def test_a_broken_run_json_is_named(tmp_path, content):
    run = RunDir(tmp_path)
    if content is not None:
        run.run_json.write_text(content)
    with pytest.raises(ModelError, match=r"run\.json cannot be read"):
        read_record(run)


def test_a_later_run_json_is_told(tmp_path):
    RunDir(tmp_path).run_json.write_text(json.dumps({"format_version": FORMAT_VERSION + 1, "clf": "9.9"}))
    with pytest.raises(ModelError, match=r"later clf \(9\.9\)"):
        read_record(RunDir(tmp_path))


rows = st.lists(
    st.tuples(
        st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=8),
        text,
        st.sampled_from(["train", "val", "test"]),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda row: row[0],
)


@with_options(derandomize=True, deadline=None, max_examples=15)
@given(rows)
def test_splits_and_csv(tmp_path_factory, rows):
    """Labels and file names with commas, quotes, line breaks, or nothing in them."""
    path = tmp_path_factory.mktemp("splits") / "splits.csv"
    samples = tuple(
        Sample(path=name, label=label, split=split, group=None, metadata={}, source="") for name, label, split in rows
    )
    write_splits(path, Dataset(Path("/data"), samples, {}, Labels.of(label for _, label, _ in rows), (), "f", (), True))
    read = read_splits(path)[0]
    assert [(row.path, row.label, row.split) for row in read] == rows
    with path.open(newline="", encoding="utf-8") as file:
        assert [tuple(row) for row in csv.reader(file)][1:] == rows
