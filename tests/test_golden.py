"""What must not change by accident: the loss curve of the tiny run, the help, and the shape of every report.

`pytest tests/test_golden.py --regenerate-golden` writes tests/golden/ anew. A change of a curve or of a shape is a line
in the changelog (docs/design.md); review the diff.
"""

import csv
import json
from pathlib import Path

import pytest

from clf_cli.cli.app import COMMAND_TABLE

GOLDEN = Path(__file__).parent / "golden"
CURVE = ("epoch", "train/loss", "val/loss")


@pytest.fixture
def golden(request):
    """The stored text of a file; with --regenerate-golden, `found` takes its place first."""

    def text_of(name, found):
        if request.config.getoption("--regenerate-golden"):
            GOLDEN.mkdir(exist_ok=True)
            (GOLDEN / name).write_text(found, encoding="utf-8", newline="\n")
        return (GOLDEN / name).read_text(encoding="utf-8")

    return text_of


def curve_of(text):
    return [[float(row[name]) for name in CURVE] for row in csv.DictReader(text.splitlines())]


def test_the_loss_curve(golden, tiny_run):
    """fp32, one thread; the last digits differ between processors."""
    with tiny_run.metrics.open(newline="", encoding="utf-8") as file:
        rows = [[row[name] for name in CURVE] for row in csv.DictReader(file)]
    found = "\n".join(",".join(row) for row in (CURVE, *rows)) + "\n"
    expected = curve_of(golden("loss_curve.csv", found))
    assert len(expected) == 2
    for ours, stored in zip(curve_of(found), expected, strict=True):
        assert ours == pytest.approx(stored, rel=1e-3)


def test_the_help(golden, clf, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    done = clf("--help")
    assert done.code == 0
    assert done.stdout == golden("help.txt", done.stdout)
    assert all(name in done.stdout for name, _, _ in COMMAND_TABLE)


def shape(value):
    """Keys and kinds of a JSON document; what may be undefined is a number or null. Equal list items count once."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        kinds = {json.dumps(shape(item), sort_keys=True): shape(item) for item in value}
        return [kinds[key] for key in sorted(kinds)]
    if isinstance(value, bool):
        return "true or false"
    return "text" if isinstance(value, str) else "number or null"


def documents(clf, tiny_run, tiny_dataset, folder):
    """Every JSON document that a run leaves and a command prints, by name."""
    files = {path.relative_to(tiny_run.root).as_posix(): path for path in tiny_run.root.rglob("*.json")}
    found = {
        name: json.loads(path.read_text(encoding="utf-8")) for name, path in files.items() if "epochs/" not in name
    }
    commands = {
        "inspect-dataset": ("inspect-dataset", tiny_dataset),
        "confusion": ("confusion", tiny_run.best),
        "validate-onnx": ("validate-onnx", tiny_run.onnx, "--data", tiny_dataset),
        "export": ("export", tiny_run.best, "-o", folder / "model.onnx"),
        "synth": ("synth", "--out", folder / "numbers", "--images", "40", "--classes", "4"),
    }
    for name, arguments in commands.items():
        done = clf(*arguments, "--json")
        assert done.code == 0, done.stderr
        found[f"clf {name} --json"] = json.loads(done.stdout)
    return found


def test_the_shape_of_every_report(golden, clf, tiny_run, tiny_dataset, tmp_path):
    found = {name: shape(one) for name, one in sorted(documents(clf, tiny_run, tiny_dataset, tmp_path).items())}
    stored = json.loads(golden("reports.json", json.dumps(found, indent=1) + "\n"))
    assert list(found) == list(stored)
    for name, expected in stored.items():
        assert found[name] == expected, name


def test_the_envelope_comes_first_and_in_order(tiny_run):
    for path in (tiny_run.root / "reports").glob("*.json"):
        assert list(json.loads(path.read_text(encoding="utf-8"))) == [
            "schema_version", "kind", "clf", "model", "data", "result", "findings",
        ]  # fmt: skip
