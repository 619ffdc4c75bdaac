"""clf evaluate on a real run, on the same weights in three files, and on manifests that say more of their images."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from clf_cli.__main__ import main
from clf_cli.engine.intervals import wilson
from clf_cli.values.labels import Labels
from clf_cli.values.run_dir import RunDir
from tests.onnx_models import CONTRACT, Linear, linear, replace, write_onnx_file, write_run
from tests.running import TORCH, clf_without, draw_discs, report_of


def files_in(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def said(finished):
    return " ".join(finished.stderr.replace("│", " ").split())


# The numbers


@pytest.mark.parametrize(("split", "name"), [("val", "metrics"), ("test", "metrics-test")])
def test_json_is_what_training_wrote(clf, tiny_run, split, name):
    printed = report_of(clf("evaluate", tiny_run.root, "--split", split, "--json"))
    assert printed == json.loads(tiny_run.report(name).read_text())
    assert (printed["kind"], printed["data"]["split"], printed["data"]["images"]) == ("metrics", split, 24)


def test_it_writes_nothing(clf, tiny_run):
    before = files_in(tiny_run.root)
    assert clf("evaluate", tiny_run.root).code == 0
    assert files_in(tiny_run.root) == before


def flat(value):
    if isinstance(value, dict):
        return [number for item in value.values() for number in flat(item)]
    if isinstance(value, list):
        return [number for item in value for number in flat(item)]
    return [value] if isinstance(value, (int, float)) else []


@pytest.mark.parametrize("file", ["checkpoints/best.ckpt", "export/model.onnx"])
def test_run_checkpoint_and_onnx_have_the_same_numbers(clf, tiny_run, file):
    of_run = report_of(clf("evaluate", tiny_run.root, "--json"))["result"]
    of_file = report_of(clf("evaluate", tiny_run.root / file, "--json"))["result"]
    np.testing.assert_allclose(flat(of_file), flat(of_run), atol=1e-5)
    if file.endswith(".ckpt"):
        assert of_file == of_run


def test_onnx_needs_no_torch(tiny_run):
    report = report_of(clf_without(TORCH, "evaluate", tiny_run.onnx, "--json"))
    assert report["result"]["acc_top1"] is not None
    assert clf_without(TORCH, "evaluate", tiny_run.best).code != 0  # the check itself


def test_the_table(clf, tiny_run):
    finished = clf("evaluate", tiny_run.root)
    result = report_of(clf("evaluate", tiny_run.root, "--json"))["result"]
    low, high = (100 * end for end in result["intervals"]["acc_top1"])
    assert "24 images · 3 classes" in finished.stdout
    row = next(line for line in finished.stdout.splitlines() if "top-1 accuracy" in line)
    assert [cell.strip() for cell in row.split("│")[2:4]] == [
        f"{100 * result['acc_top1']:.2f} %",
        f"{low:.2f}–{high:.2f}",
    ]
    assert clf("evaluate", tiny_run.root, "--quiet").stderr == ""


# Bad input


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "No model is named"),
        (["nowhere"], 4, "There is no nowhere"),
        (["."], 4, "not a run"),
        (["file"], 4, "file"),
        (["runs/tiny", "--split", "valid"], 2, "valid"),
        (["runs/tiny", "--data", "gone"], 3, "gone"),
        (["runs/tiny", "--data", "nothing"], 3, "nothing"),
        (["runs/tiny", "--by", "camera"], 2, "have no keys but their label"),
        (["alone.ckpt"], 2, "--data"),
        (["alone.onnx"], 2, "--data"),
    ],
)
def test_wrong_input_is_named(clf, run, arguments, code, says):
    Path("file").write_text("x")
    Path("nothing").mkdir()
    shutil.copy(run.best, "alone.ckpt")
    shutil.copy(run.onnx, "alone.onnx")
    finished = clf("evaluate", *arguments)
    assert finished.code == code, finished.stderr
    assert says in said(finished)
    assert finished.stdout == ""
    assert "Traceback" not in finished.stderr


def keep_rows(run, keep):
    """Leaves some rows of splits.csv."""
    header, *rows = run.splits.read_text().splitlines()
    run.splits.write_text("\n".join([header, *(row for row in rows if keep(*row.split(",")))]) + "\n")


def test_a_split_without_images_is_exit_3(clf, run):
    keep_rows(run, lambda path, label, split: split != "test")
    finished = clf("evaluate", run.root, "--split", "test")
    assert finished.code == 3
    assert "no images in the split test" in finished.stderr


def test_a_split_of_one_class_is_exit_3(clf, run):
    keep_rows(run, lambda path, label, split: split != "val" or label == "green")
    finished = clf("evaluate", run.root)
    assert finished.code == 3
    assert "holds images of one class only (green)" in finished.stderr
    assert "clf confusion" in finished.stderr
    assert finished.stdout == ""
    assert clf("evaluate", run.root, "--split", "test").code == 0


def test_classes_that_the_data_lack_are_not_measured(clf, run, tiny_dataset):
    shutil.copytree(tiny_dataset / "val", "two", ignore=shutil.ignore_patterns("green"))
    finished = clf("evaluate", run.root, "--data", "two")
    assert finished.code == 0
    assert "Not measured, no images: green" in finished.stdout
    assert "used whole, so images that the model was trained on may be among them" in finished.stderr
    assert "is not what" not in finished.stderr
    report = report_of(clf("evaluate", run.root, "--data", "two", "--json"))
    assert (report["data"]["split"], report["data"]["images"]) == ("all", 16)
    green = report["result"]["per_class"][1]
    assert (green["class"], green["support"], green["recall"], green["f1"]) == ("green", 0, None, None)
    assert green["intervals"]["recall"] == [None, None]


def test_classes_that_the_model_lacks(clf, run, tiny_dataset):
    shutil.copytree(tiny_dataset, "four")
    others = draw_discs(Path("others"), {"val": 8}, seed=1)
    shutil.copytree(others / "val" / "red", "four/val/violet")
    finished = clf("evaluate", run.root, "--data", "four")
    assert finished.code == 3
    assert "violet" in finished.stderr
    assert "--on-unknown-class skip" in finished.stderr
    skipped = report_of(clf("evaluate", run.root, "--data", "four", "--on-unknown-class", "skip", "--json"))
    assert (skipped["data"]["images"], skipped["data"]["skipped"]) == (24, 8)
    assert skipped["result"]["acc_top1"] == report_of(clf("evaluate", run.root, "--json"))["result"]["acc_top1"]


def test_classes_in_another_order_are_matched_by_name(clf, tiny_dataset, tmp_path):
    model, names = linear(3), ("blue", "green", "red")
    order = [2, 0, 1]
    other = Linear(model.weights[:, order], model.bias[order])
    one = write_onnx_file(tmp_path / "one.onnx", model, replace(CONTRACT, labels=Labels(names)))
    labels = Labels(tuple(names[i] for i in order))
    two = write_onnx_file(tmp_path / "two.onnx", other, replace(CONTRACT, labels=labels))
    first, second = (
        report_of(clf("evaluate", file, "--data", tiny_dataset, "--json"))["result"] for file in (one, two)
    )
    assert [row["class"] for row in second["per_class"]] == list(labels)
    by_name = [
        {row["class"]: (row["support"], row["recall"]) for row in result["per_class"]} for result in (first, second)
    ]
    assert by_name[0] == by_name[1]
    np.testing.assert_allclose(flat(first["intervals"]), flat(second["intervals"]), rtol=1e-9)


# Slices


def rows_of(folder, split, describe):
    lines = []
    for number, path in enumerate(sorted((folder / split).rglob("*.png"))):
        row = {"image": path.relative_to(folder / split).as_posix(), "label": path.parent.name}
        lines.append(json.dumps({**row, **describe(number)}))
    return "\n".join(lines) + "\n"


def describe(number):
    """Of 12 val images: 8 of camera a, 2 of b, 2 say nothing."""
    if number % 6 == 5:
        return {"weather": ["rain", "night"]}
    camera = {"id": "b" if number % 6 == 4 else "a", "lens": 35, "indoors": number % 2 == 0}
    return {"prefix": "Read it.", "group": f"g{number}", "metadata": {"camera": camera}}


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    """An exported run on JSON lines with metadata. Read-only."""
    folder = tmp_path_factory.mktemp("described")
    data = draw_discs(folder / "discs", {"train": 2, "val": 4})
    for split in ("train", "val"):
        (data / split / "annotations.jsonl").write_text(rows_of(data, split, describe))
    run = write_run(folder / "runs" / "discs", data)
    assert main(["export", str(run.root), "--quiet"]) == 0
    return run


def slices_of(clf, *arguments):
    return report_of(clf("evaluate", *arguments, "--json"))["result"]["slices"]


def counts(parts):
    return [(part["by"], part["value"], part["images"]) for part in parts]


@pytest.mark.parametrize("file", ["", "checkpoints/best.ckpt", "export/model.onnx"])
def test_a_runs_own_images_get_the_keys_of_their_manifests(clf, described, file):
    parts = slices_of(clf, described.root / file, "--by", "metadata.camera.id", "--by", "weather")
    assert counts(parts) == [
        *(("metadata.camera.id", value, images) for value, images in (("a", 8), ("b", 2), (None, 2))),
        *(("weather", value, images) for value, images in ((None, 10), (["rain", "night"], 2))),
    ]
    for part in parts:
        right = round(part["acc_top1"] * part["images"])
        assert part["intervals"]["acc_top1"] == pytest.approx(wilson(right, part["images"]).tolist())


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("metadata.camera.lens", [(35, 10), (None, 2)]),
        ("metadata.camera.indoors", [(True, 6), (False, 4), (None, 2)]),
        ("prefix", [("Read it.", 10), (None, 2)]),
    ],
)
def test_values_are_what_json_has(clf, described, key, expected):
    parts = slices_of(clf, described.root, "--by", key, "--by", key)
    assert counts(parts) == [(key, value, images) for value, images in expected]
    assert all(type(part["value"]) is type(value) for part, (value, _) in zip(parts, expected, strict=True))


def test_other_data_bring_their_own_keys(clf, described, tmp_path):
    data = described.root.parents[1] / "discs"
    rows = [{"image": str(path), "label": path.parent.name, "half": i % 2} for i, path in
            enumerate(sorted((data / "val").rglob("*.png")))]  # fmt: skip
    for row in rows:
        row["image"] = Path(row["image"]).relative_to(data / "val").as_posix()
    shutil.copytree(data / "val", tmp_path / "val")
    manifest = tmp_path / "val" / "rows.jsonl"
    manifest.write_text("\n".join(map(json.dumps, rows)))
    parts = slices_of(clf, described.onnx, "--data", manifest, "--by", "half")
    assert counts(parts) == [("half", 0, 6), ("half", 1, 6)]


def test_a_csv_manifest_has_text(clf, described, tmp_path):
    shutil.copytree(described.root.parents[1] / "discs" / "val", tmp_path / "val")
    lines = [f"{p.relative_to(tmp_path)},{p.parent.name},{i % 3 or ''}" for i, p in
             enumerate(sorted((tmp_path / "val").rglob("*.png")))]  # fmt: skip
    (tmp_path / "rows.csv").write_text("\n".join(["path,label,shift", *lines]))
    parts = slices_of(clf, described.onnx, "--data", tmp_path / "rows.csv", "--by", "shift")
    assert counts(parts) == [("shift", "", 4), ("shift", "1", 4), ("shift", "2", 4)]


def test_without_by_nothing_but_the_slices_differs(clf, described):
    bare = report_of(clf("evaluate", described.root, "--json"))
    sliced = report_of(clf("evaluate", described.root, "--by", "group", "--json"))
    assert bare["result"].pop("slices") == []
    assert len(sliced["result"].pop("slices")) == 11
    assert bare == sliced


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("metadata.camera.ID", "did you mean metadata.camera.id?"),
        ("metadata.camera", "did you mean metadata.camera.id?"),
        ("wether", "did you mean weather?"),
        ("zzz", "metadata.camera.id, metadata.camera.lens, metadata.camera.indoors, group, weather."),
    ],
)  # fmt: skip
def test_an_unknown_key_is_exit_2_and_the_keys_are_listed(clf, described, key, says):
    finished = clf("evaluate", described.root, "--by", "prefix", "--by", key)
    assert finished.code == 2
    assert f"--by {key}: no image has this key" in said(finished)
    assert says in said(finished)
    assert "The keys are prefix" in said(finished)
    assert finished.stdout == ""


def test_rows_that_left_the_manifest_are_counted_and_said(clf, described, tmp_path):
    data = described.root.parents[1] / "discs"
    copy = RunDir(shutil.copytree(described.root, tmp_path / "run"))
    shutil.copytree(data, tmp_path / "discs")
    lines = (tmp_path / "discs/val/annotations.jsonl").read_text().splitlines()
    (tmp_path / "discs/val/annotations.jsonl").write_text("\n".join(lines[3:]))
    copy.settings.write_text(copy.settings.read_text().replace(str(data), str(tmp_path / "discs")))
    finished = clf("evaluate", copy.root, "--by", "prefix", "--json")
    assert "3 of the run's rows are no longer in" in finished.stderr
    parts = report_of(finished)["result"]["slices"]
    assert counts(parts) == [("prefix", "Read it.", 7), ("prefix", None, 5)]
