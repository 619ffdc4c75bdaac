"""A run is resumed as what it was, or it is refused with every difference by its key."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from clf_cli.__main__ import main
from clf_cli.errors import DataError, UsageError
from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.models.compute import Compute
from clf_cli.settings.load import read_settings
from clf_cli.settings.root import Settings, settings_of
from clf_cli.training.drift import (
    NOT_COMPARED,
    VERSIONS,
    Drift,
    compute_drift,
    judged,
    require_known,
    settings_drift,
    version_drift,
)
from clf_cli.values.run_dir import RunDir
from clf_cli.values.run_record import RunRecord, current_versions, recorded_versions
from tests.running import Clf, draw_discs, train_arguments

QUIET = (
    *("--no-export", "--no-samples", "--no-history", "--no-confusion", "--no-report", "--no-sampler-stats"),
    *("--no-model-info", "--no-dataset-stats"),
)
ROWS = "rows.jsonl"
CPU = Compute("cpu", 1, 0, "fp32", 0, channels_last=True, deterministic=False)
INSTEAD = "start a new run."
RECORD = RunRecord("abc", ("clf", "train"), 0, "cpu", 1, 0, "fp32", "blake2b:0", machine={"cpu": "AVX2"})


@pytest.fixture(scope="module")
def stopped_run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """One of two epochs is done; its data lie beside it."""
    out = tmp_path_factory.mktemp("drift")
    return stopped(draw_discs(out / "data", {"train": 8, "val": 3}), out)


@pytest.fixture(scope="module")
def stopped_manifest_run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """The same of a manifest."""
    out = tmp_path_factory.mktemp("drift")
    data = draw_discs(out / "data", {"train": 8, "val": 3})
    rows = [path.relative_to(data) for path in sorted(data.rglob("*.png"))]
    write_rows(data, [{"image": p.as_posix(), "label": p.parts[1], "split": p.parts[0]} for p in rows])
    return stopped(data / ROWS, out)


def stopped(data: Path, out: Path) -> RunDir:
    arguments = train_arguments(data, out, "run", *QUIET, "--epochs", "2", "--checkpoint-every-steps", "3")
    assert main([*arguments, "--quiet"]) == 0
    run = RunDir(out / "run")
    shutil.copyfile(run.step_checkpoint(3), run.last)
    run.step_checkpoint(6).unlink()
    run.run_json.write_text(run.run_json.read_text().replace('"finished"', '"running"'))
    return run


@pytest.fixture
def run(stopped_run: RunDir, tmp_path: Path) -> RunDir:
    """A copy with data of its own."""
    return copied(stopped_run, tmp_path / "all")


@pytest.fixture
def manifest_run(stopped_manifest_run: RunDir, tmp_path: Path) -> RunDir:
    return copied(stopped_manifest_run, tmp_path / "all")


def copied(stopped_run: RunDir, folder: Path) -> RunDir:
    shutil.copytree(stopped_run.root.parent, folder)
    run = RunDir(folder / "run")
    old = (stopped_run.root.parent / "data").as_posix()
    run.settings.write_text(run.settings.read_text().replace(old, data_of(run).as_posix()))
    return run


def rows_of(run: RunDir) -> list[dict[str, str]]:
    return [json.loads(line) for line in (data_of(run) / ROWS).read_text().splitlines()]


def write_rows(data: Path, rows: list[dict[str, str]]) -> None:
    (data / ROWS).write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def data_of(run: RunDir) -> Path:
    return run.root.parent / "data"


def edit_record(run: RunDir, change: dict[str, Any]) -> None:
    run.run_json.write_text(json.dumps(json.loads(run.run_json.read_text()) | change))


# Judging


def test_every_setting_of_training_has_a_verdict_that_holds_for_its_drift() -> None:
    stored = Settings().model_dump(mode="json")
    for setting in settings_of("train"):
        drift = Drift(setting.path, "1", "2")
        assert drift.verdict in ("harmless", "rounding", "unsafe", "fixed")
        if setting.path not in NOT_COMPARED and setting.section in ("model", "optim", "augment", "ema"):
            assert drift.verdict in ("unsafe", "fixed"), "it changes what is learnt"
    assert settings_drift(stored, Settings()) == []


@pytest.mark.parametrize(
    ("key", "verdict"),
    [
        ("optim.lr", "unsafe"),
        ("augment.mixup", "unsafe"),
        ("compute.seed", "unsafe"),
        ("compute.precision", "unsafe"),
        ("versions.torch", "unsafe"),
        ("versions.clf", "unsafe"),
        ("data.fingerprint", "unsafe"),
        ("data.labels", "unsafe"),
        ("model.arch", "fixed"),
        ("optim.optimizer", "fixed"),
        ("optim.batch_size", "fixed"),
        ("train.monitor", "fixed"),
        ("classes", "fixed"),
        ("train.patience", "harmless"),
        ("callbacks.samples", "harmless"),
        ("export.opset", "harmless"),
        ("compute.workers", "harmless"),
        ("versions.onnx", "harmless"),
        ("compute.threads", "rounding"),
        ("machine.cpu", "rounding"),
    ],
)
def test_verdicts(key: str, verdict: str) -> None:
    assert Drift(key, "a", "b").verdict == verdict


def test_another_gpu_of_the_same_kind_is_harmless_and_another_device_is_not() -> None:
    assert Drift("compute.device", "cuda:0", "cuda:1").verdict == "harmless"
    assert Drift("compute.device", "cuda:0", "cpu").verdict == "unsafe"


def test_all_differences_are_told_at_once_and_the_flag_that_allows_them() -> None:
    drifts = [
        Drift("optim.lr", "0.1", "0.2"),
        Drift("versions.torch", "2.1", "2.2"),
        Drift("compute.threads", "1", "2"),
    ]
    with pytest.raises(UsageError) as refused:
        judged(drifts, (), {}, "runs/a", INSTEAD)
    for text in ("optim.lr: 0.1 → 0.2", "versions.torch: 2.1 → 2.2", "compute.threads: 1 → 2"):
        assert text in refused.value.message
    assert "--allow-drift optim.lr,versions.torch." in str(refused.value.hint)
    assert len(judged(drifts, ("optim.lr", "versions.torch"), {}, "runs/a", INSTEAD)) == 3
    assert len(judged(drifts, ("optim", "versions"), {}, "runs/a", INSTEAD)) == 3, "a section allows all of it"


def test_what_is_fixed_cannot_be_allowed() -> None:
    with pytest.raises(UsageError, match=r"model\.arch: a → b"):
        judged([Drift("model.arch", "a", "b")], ("model.arch", "model"), {}, "runs/a", INSTEAD)


def test_changed_classes_are_refused_whatever_is_allowed_and_as_a_mistake_in_the_data() -> None:
    with pytest.raises(DataError, match="classes"):
        judged([Drift("classes", "3", "4")], ("data",), {}, "runs/a", INSTEAD)


def test_what_was_allowed_once_need_not_be_allowed_again_while_it_is_the_same() -> None:
    drift = Drift("optim.lr", "0.1", "0.2")
    assert judged([drift], (), {"optim.lr": "0.1 → 0.2"}, "runs/a", INSTEAD)
    with pytest.raises(UsageError):
        judged([drift], (), {"optim.lr": "0.1 → 0.3"}, "runs/a", INSTEAD)


def test_a_key_that_nothing_is_called_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError) as refused:
        require_known(["optim.lrr"])
    assert "optim.lr" in str(refused.value.hint)
    with pytest.raises(UsageError) as refused:
        require_known(["lr"])
    assert str(refused.value.hint) == "Did you mean optim.lr?"
    require_known(["optim.lr", "versions", "machine.gpu", "data.fingerprint"])


def test_compute_is_compared_by_what_auto_became() -> None:
    other = Compute("cuda:0", 2, 3, "bf16", 0, channels_last=True, deterministic=False)
    keys = {drift.key for drift in compute_drift(RECORD, other, {"gpu": "H"})}
    assert keys == {"compute.device", "compute.threads", "compute.workers", "compute.precision"}
    assert compute_drift(RECORD, CPU, {"cpu": "AVX2"}) == []
    assert [drift.key for drift in compute_drift(RECORD, CPU, {"cpu": "AVX512"})] == ["machine.cpu"]


def test_versions_are_compared_name_by_name() -> None:
    now = current_versions()
    assert set(now) == set(VERSIONS)
    assert version_drift(now, now) == []
    assert version_drift(now | {"torch": "1.0"}, now) == [Drift("versions.torch", "1.0", now["torch"])]


# Resuming


def test_an_unchanged_run_goes_on_without_a_word_of_drift(clf: Clf, run: RunDir) -> None:
    done = clf("train", "--resume", run.root)
    assert done.code == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "→" in line and not line.startswith("data.root: ")] == []
    assert json.loads(run.run_json.read_text())["drift"] == {}


def test_another_learning_rate_is_refused_and_allowed_takes_effect_and_is_recorded(clf: Clf, run: RunDir) -> None:
    before = run.run_json.read_bytes(), run.settings.read_bytes()
    refused = clf("train", "--resume", run.root, "--lr", "0.5")
    assert refused.code == 2
    assert "optim.lr: 0.001 → 0.5" in refused.stderr
    assert (run.run_json.read_bytes(), run.settings.read_bytes()) == before
    done = clf("train", "--resume", run.root, "--lr", "0.5", "--allow-drift", "optim.lr")
    assert done.code == 0, done.stderr
    assert "optim.lr: 0.001 → 0.5" in done.stderr
    assert json.loads(run.run_json.read_text())["drift"] == {"optim.lr": "0.001 → 0.5"}
    last = float(run.metrics.read_text().splitlines()[-1].split(",")[-2])
    first = float(run.metrics.read_text().splitlines()[1].split(",")[-2])
    assert last / first > 10, "the new rate is in force"
    assert read_settings(run.settings).train.allow_drift == ()


def test_a_settings_file_that_was_edited_is_drift_too(clf: Clf, run: RunDir) -> None:
    text = run.settings.read_text()
    assert "label_smoothing = 0.1" in text
    run.settings.write_text(text.replace("label_smoothing = 0.1", "label_smoothing = 0.3"))
    refused = clf("train", "--resume", run.root)
    assert refused.code == 2
    assert "optim.label_smoothing: 0.1 → 0.3" in refused.stderr


def test_another_version_is_refused_unless_allowed(clf: Clf, run: RunDir) -> None:
    libraries = json.loads(run.run_json.read_text())["libraries"]
    edit_record(run, {"libraries": libraries | {"torch": "1.2.3"}})
    assert recorded_versions(run)["torch"] == "1.2.3"
    refused = clf("train", "--resume", run.root)
    assert refused.code == 2
    assert "versions.torch: 1.2.3 → " in refused.stderr
    assert "--allow-drift versions.torch" in refused.stderr
    done = clf("train", "--resume", run.root, "--allow-drift", "versions.torch")
    assert done.code == 0, done.stderr
    assert recorded_versions(run) == current_versions()


def test_another_precision_or_device_is_refused(clf: Clf, run: RunDir) -> None:
    refused = clf("train", "--resume", run.root, "--precision", "bf16")
    assert refused.code == 2
    assert "compute.precision: fp32 → bf16" in refused.stderr
    edit_record(run, {"device": "cuda:0"})
    refused = clf("train", "--resume", run.root)
    assert "compute.device: cuda:0 → cpu" in refused.stderr


def test_what_only_rounds_otherwise_goes_on_and_says_so(clf: Clf, run: RunDir) -> None:
    edit_record(run, {"machine": {"cpu": "another"}})
    done = clf("train", "--resume", run.root, "--no-channels-last")
    assert done.code == 0, done.stderr
    assert "machine.cpu: another → " in done.stderr
    assert "compute.channels_last: true → false (goes on, not bit for bit)" in done.stderr


def test_changed_images_are_refused_unless_allowed(clf: Clf, run: RunDir) -> None:
    red = data_of(run) / "train" / "red"
    shutil.copyfile(red / "01.png", red / "00.png")
    refused = clf("train", "--resume", run.root)
    assert refused.code == 3
    assert "data.fingerprint" in refused.stderr
    done = clf("train", "--resume", run.root, "--allow-drift", "data.fingerprint")
    assert done.code == 0, done.stderr
    fingerprint = json.loads(run.run_json.read_text())["data_fingerprint"]
    assert fingerprint == read_checkpoint(run.last).data_fingerprint
    assert fingerprint != read_checkpoint(run.step_checkpoint(3)).data_fingerprint


def test_a_new_class_is_always_refused(clf: Clf, run: RunDir) -> None:
    shutil.copytree(data_of(run) / "train" / "red", data_of(run) / "train" / "yellow")
    refused = clf("train", "--resume", run.root, "--allow-drift", "data")
    assert refused.code == 3
    assert "classes: 3 classes → also yellow" in refused.stderr
    assert "--allow-drift" not in refused.stderr


def test_a_class_that_is_gone_is_always_refused(clf: Clf, manifest_run: RunDir) -> None:
    rows = rows_of(manifest_run)
    write_rows(data_of(manifest_run), [row for row in rows if row["label"] != "red"])
    refused = clf("train", "--resume", manifest_run.root, "--allow-drift", "data")
    assert refused.code == 3
    assert "classes: 3 classes → without red (cannot change)" in refused.stderr
    assert "--allow-drift" not in refused.stderr
    for row in rows:
        if row["label"] == "red":
            (data_of(manifest_run) / row["image"]).unlink()
    refused = clf("train", "--resume", manifest_run.root, "--on-bad-image", "skip", "--allow-drift", "data")
    assert refused.code == 3
    assert "without red" in refused.stderr


def test_a_row_that_was_taken_out_is_refused_unless_allowed(clf: Clf, manifest_run: RunDir) -> None:
    rows = rows_of(manifest_run)
    write_rows(data_of(manifest_run), rows[1:])
    refused = clf("train", "--resume", manifest_run.root)
    assert refused.code == 3
    assert f"data.removed: {len(rows)} images → no longer listed: {rows[0]['image']} (another run" in refused.stderr
    assert "--allow-drift data.removed." in refused.stderr
    done = clf("train", "--resume", manifest_run.root, "--allow-drift", "data.removed")
    assert done.code == 0, done.stderr


def test_an_image_that_was_deleted_is_refused_once_with_all_that_leaving_it_out_needs(clf: Clf, run: RunDir) -> None:
    (data_of(run) / "train" / "red" / "00.png").unlink()
    refused = clf("train", "--resume", run.root, "--lr", "0.5")
    assert refused.code == 3
    assert "train/red/00.png" in refused.stderr
    keys = "--on-bad-image skip --allow-drift optim.lr,data.on_bad_image,data.fingerprint"
    assert keys in refused.stderr
    done = clf("train", "--resume", run.root, "--lr", "0.5", *keys.split())
    assert done.code == 0, done.stderr
    assert json.loads(run.run_json.read_text())["drift"].keys() == {*keys.rsplit(maxsplit=1)[-1].split(",")}


def test_settings_versions_and_data_are_refused_together(clf: Clf, run: RunDir) -> None:
    red = data_of(run) / "train" / "red"
    shutil.copyfile(red / "01.png", red / "00.png")
    libraries = json.loads(run.run_json.read_text())["libraries"]
    edit_record(run, {"libraries": libraries | {"torch": "1.2.3"}})
    refused = clf("train", "--resume", run.root, "--lr", "0.5")
    assert refused.code == 2
    assert "--allow-drift optim.lr,versions.torch,data.fingerprint." in refused.stderr
    assert f"--init-from {run.best}" in refused.stderr


@pytest.mark.parametrize("policy", ["keep", "drop"])
def test_an_image_under_two_labels_that_a_policy_settled_is_no_drift(clf: Clf, tmp_path: Path, policy: str) -> None:
    data = draw_discs(tmp_path / "data", {"train": 4})
    rows = [{"image": path.relative_to(tmp_path).as_posix(), "label": path.parent.name} for path in data.rglob("*.png")]
    manifest = tmp_path / "rows.jsonl"
    manifest.write_text("".join(f"{json.dumps(row)}\n" for row in [*rows, {**rows[0], "label": rows[-1]["label"]}]))
    arguments = train_arguments(manifest, tmp_path, "run", *QUIET, "--no-val", "--val-fraction", "0", "--epochs", "1")
    trained = clf(*arguments, "--on-label-conflict", policy)
    assert trained.code == 0, trained.stderr
    assert rows[0]["label"] != rows[-1]["label"]
    done = clf("train", "--resume", tmp_path / "run", "--epochs", "2")
    assert done.code == 0, done.stderr
    assert "data.labels" not in done.stderr


def test_images_that_were_added_are_told_and_not_drawn(clf: Clf, run: RunDir) -> None:
    shutil.copyfile(data_of(run) / "train" / "red" / "01.png", data_of(run) / "train" / "red" / "new.png")
    done = clf("train", "--resume", run.root)
    assert done.code == 0, done.stderr
    assert "data.images: 33 → 34" in done.stderr
    assert run.metrics.read_text().splitlines()[-1].endswith(",24")


def test_data_elsewhere_that_lack_an_image_are_refused_by_its_name(clf: Clf, run: RunDir) -> None:
    elsewhere = run.root.parent / "elsewhere"
    shutil.copytree(data_of(run), elsewhere)
    (elsewhere / "train" / "red" / "00.png").unlink()
    refused = clf("train", "--resume", run.root, "--data", elsewhere, "--allow-drift", "data")
    assert refused.code == 3
    assert "train/red/00.png: no such file" in refused.stderr


def test_data_that_moved_are_named_with_the_flag_and_are_no_drift(clf: Clf, run: RunDir) -> None:
    moved = data_of(run).rename(run.root.parent / "moved")
    assert clf("train", "--resume", run.root).code == 3
    done = clf("train", "--resume", run.root, "--data", moved)
    assert done.code == 0, done.stderr
    assert "data.root: " in done.stderr
    assert "data.fingerprint" not in done.stderr


def test_of_data_that_moved_only_those_of_the_run_are_drawn(clf: Clf, run: RunDir) -> None:
    """As a --subset, or images that were added, have it."""
    moved = data_of(run).rename(run.root.parent / "moved")
    shutil.copyfile(moved / "train" / "red" / "01.png", moved / "train" / "red" / "new.png")
    done = clf("train", "--resume", run.root, "--data", moved)
    assert done.code == 0, done.stderr
    assert "data.fingerprint" not in done.stderr
    assert run.metrics.read_text().splitlines()[-1].endswith(",24")


def test_data_without_one_image_of_the_run_are_told_in_a_sentence(clf: Clf, run: RunDir, tmp_path: Path) -> None:
    other = draw_discs(tmp_path / "other", {"train": 4, "val": 2})
    for folder in [*(other / "train").iterdir(), *(other / "val").iterdir()]:
        folder.rename(folder.with_name(f"new-{folder.name}"))
    done = clf("train", "--resume", run.root, "--data", other)
    assert done.code == 3
    assert f"{other} has none of the " in done.stderr


def test_a_finished_run_says_so_and_ends_with_0(clf: Clf, run: RunDir) -> None:
    assert clf("train", "--resume", run.root).code == 0
    before = {path: path.read_bytes() for path in run.root.rglob("*") if path.is_file()}
    done = clf("train", "--resume", run.root)
    assert done.code == 0
    assert "is finished after 2 epochs" in done.stderr
    assert {path: path.read_bytes() for path in run.root.rglob("*") if path.is_file()} == before


def test_nothing_is_allowed_to_differ_from_no_run(clf: Clf, run: RunDir) -> None:
    done = clf("train", "--data", data_of(run), "--allow-drift", "optim.lr")
    assert done.code == 2
    assert "--allow-drift has no effect without --resume" in done.stderr
