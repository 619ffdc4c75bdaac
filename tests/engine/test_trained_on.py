"""Which images a model was trained on: by bytes, by name where they are gone, or not known."""

import json
import shutil
from pathlib import Path

import pytest

from clf_cli.data.dataset import Dataset, survey_dataset
from clf_cli.engine.trained_on import trained_on
from clf_cli.models.classifier import Classifier, open_classifier
from clf_cli.settings.sections import DataSection
from clf_cli.values.run_dir import RunDir


@pytest.fixture(scope="module")
def classifier(tiny_run) -> Classifier:
    return open_classifier(tiny_run.onnx)


def survey(root: Path) -> Dataset:
    return survey_dataset(DataSection(root=root), seed=0)


def train_paths(dataset: Dataset) -> set[str]:
    return {sample.path for sample in dataset.split("train")}


def paths(classifier: Classifier, dataset: Dataset) -> set[str]:
    seen = trained_on(classifier, dataset)
    assert seen is not None
    assert seen.untold is None
    return set(seen.paths)


def test_the_run_s_own_data(classifier, tiny_dataset):
    dataset = survey(tiny_dataset)
    assert paths(classifier, dataset) == train_paths(dataset) != set()


def test_copies_under_other_names_and_labels_are_known_by_their_bytes(classifier, tiny_dataset, tmp_path):
    root = shutil.copytree(tiny_dataset, tmp_path / "copy")
    shutil.copy(root / "train/red/03.png", root / "test/red/again.png")
    (root / "train/red/04.png").rename(root / "val/blue/moved.png")
    (root / "val/green/00.png").rename(root / "train/green/new.png")
    dataset = survey(root)
    copies = {"test/red/again.png", "val/blue/moved.png"}
    assert paths(classifier, dataset) == train_paths(dataset) - {"train/green/new.png"} | copies


def moved_run(tiny_run: RunDir, root: Path, data: Path) -> RunDir:
    """A copy of the run that was trained on `data`."""
    run = RunDir(root)
    shutil.copytree(tiny_run.export, run.export)
    shutil.copy(tiny_run.splits, run.splits)
    shutil.copy(tiny_run.run_json, run.run_json)
    lines = tiny_run.settings.read_text().splitlines()
    run.settings.write_text(
        "\n".join(f'root = "{data.as_posix()}"' if line.startswith("root = ") else line for line in lines)
    )
    return run


def test_where_the_images_are_gone_the_name_decides(tiny_run, tiny_dataset, tmp_path):
    run = moved_run(tiny_run, tmp_path / "run", tmp_path / "gone")
    root = shutil.copytree(tiny_dataset, tmp_path / "copy")
    (root / "train/red/04.png").rename(root / "train/red/renamed.png")
    dataset = survey(root)
    assert paths(open_classifier(run.onnx), dataset) == train_paths(dataset) - {"train/red/renamed.png"}


def test_a_run_on_a_manifest_of_one_fold(tiny_run, tiny_dataset, tmp_path):
    """As clf split writes it: paths start in the data folder, and other images are in train than by folders."""
    manifest = tmp_path / "folds-1.jsonl"
    manifest.write_text(json.dumps({"root": tiny_dataset.as_posix()}) + "\n")
    run = moved_run(tiny_run, tmp_path / "run", manifest)
    rows = run.splits.read_text()
    rows = rows.replace("train/red/03.png,red,train", "train/red/03.png,red,val")
    run.splits.write_text(rows.replace("val/red/03.png,red,val", "val/red/03.png,red,train"))
    dataset = survey(tiny_dataset)
    expected = train_paths(dataset) - {"train/red/03.png"} | {"val/red/03.png"}
    assert paths(open_classifier(run.onnx), dataset) == expected


def test_a_file_outside_a_run_tells_its_data(tiny_run, tiny_dataset, tmp_path):
    shutil.copy(tiny_run.onnx, tmp_path / "model.onnx")
    alone = open_classifier(tmp_path / "model.onnx")
    assert alone.run is None
    dataset = survey(tiny_dataset)
    assert paths(alone, dataset) == train_paths(dataset)
    root = shutil.copytree(tiny_dataset, tmp_path / "copy")
    (root / "test/red/00.png").unlink()
    assert trained_on(alone, survey(root)) is None


def test_a_model_in_the_folder_of_another_run(tiny_run, tiny_dataset, tmp_path):
    run = moved_run(tiny_run, tmp_path / "run", tiny_dataset)
    record = run.run_json.read_text()
    own = open_classifier(run.onnx)
    run.run_json.write_text(record.replace(str(own.run_id), "another"))
    root = shutil.copytree(tiny_dataset, tmp_path / "copy")
    (root / "test/red/00.png").unlink()
    assert trained_on(own, survey(root)) is None


def descendant(tiny_run: RunDir, root: Path, data: Path, first: Path, run_id: str) -> RunDir:
    """A run that had the val images in train, and began with the weights in `first`."""
    run = moved_run(tiny_run, root, data)
    rows = [line for line in run.splits.read_text().splitlines() if not line.endswith(",train")]
    run.splits.write_text("\n".join(rows).replace(",val", ",train") + "\n")
    record = json.loads(run.run_json.read_text())
    run.run_json.write_text(json.dumps({**record, "init_from": first.as_posix(), "init_run_id": run_id}))
    return run


def test_what_the_weights_it_started_from_were_trained_on_counts(classifier, tiny_run, tiny_dataset, tmp_path):
    dataset = survey(tiny_dataset)
    run = descendant(tiny_run, tmp_path / "run", tiny_dataset, tiny_run.best, str(classifier.run_id))
    validated = {sample.path for sample in dataset.split("val")}
    assert paths(open_classifier(run.onnx), dataset) == train_paths(dataset) | validated
    again = descendant(tiny_run, tmp_path / "next", tiny_dataset, run.best, str(classifier.run_id))
    assert paths(open_classifier(again.onnx), dataset) == train_paths(dataset) | validated


@pytest.mark.parametrize("lost", ["gone", "replaced", "unknown"])
def test_a_run_that_it_started_from_and_that_is_gone_is_told(classifier, tiny_run, tiny_dataset, tmp_path, lost):
    """The folder may hold another run of the same name by now."""
    first = tmp_path / "first/checkpoints/best.ckpt" if lost == "gone" else tiny_run.best
    run_id = str(classifier.run_id) if lost == "gone" else "another"
    run = descendant(tiny_run, tmp_path / "run", tiny_dataset, first, run_id)
    if lost == "unknown":
        run.run_json.write_text(run.run_json.read_text().replace('"init_run_id": "another"', '"init_run_id": null'))
    dataset = survey(tiny_dataset)
    seen = trained_on(open_classifier(run.onnx), dataset)
    assert seen is not None
    assert seen.untold == first
    assert seen.paths == {sample.path for sample in dataset.split("val")}


def test_runs_that_start_from_each_other_end(classifier, tiny_run, tiny_dataset, tmp_path):
    """Nothing makes them but a record that was edited."""
    run = descendant(tiny_run, tmp_path / "run", tiny_dataset, tmp_path / "run/checkpoints/best.ckpt", "")
    run.run_json.write_text(
        run.run_json.read_text().replace('"init_run_id": ""', f'"init_run_id": "{classifier.run_id}"')
    )
    assert len(paths(open_classifier(run.onnx), survey(tiny_dataset))) == len(survey(tiny_dataset).split("val"))
