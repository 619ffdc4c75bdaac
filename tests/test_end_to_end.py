"""Whole runs through the command line: labels that look like nothing or like numbers, every layout, every switch."""

import csv
import json
import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from clf_cli.__main__ import main
from clf_cli.data.dataset import load_run_dataset
from clf_cli.engine.predict_split import predict_split
from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.models.classifier import open_classifier
from clf_cli.settings.load import read_settings
from clf_cli.values.contract import CONTRACT_KEY
from clf_cli.values.labels import Labels
from clf_cli.values.run_dir import RunDir
from tests.running import COLORS, draw_disc, train_arguments

BARE = ("--no-export", "--no-samples", "--no-history", "--no-confusion", "--epochs", "1")
MINIMAL = Path(__file__).parents[1] / "examples" / "consumers" / "python_minimal.py"


@dataclass(frozen=True)
class Numbers:
    """A run on jersey numbers, and its data."""

    data: Path
    run: RunDir


def snapshot(folder):
    """Name, size and time of everything below `folder`."""
    return {path.relative_to(folder): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def rows_of(run):
    with run.metrics.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def report(run, kind):
    return json.loads(run.report(kind).read_text(encoding="utf-8"))["result"]


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """150 images of five classes, `""`, `0` and `00` among them, trained for two epochs. Read-only, and checked."""
    folder = tmp_path_factory.mktemp("numbers")
    data = folder / "numbers"
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("CLF_CACHE_DIR", str(folder / "cache"))
        assert main(["synth", "--out", str(data), "--images", "150", "--classes", "5", "--quiet"]) == 0
        before = snapshot(data)
        assert main(train_arguments(data, folder / "runs", "numbers", "--quiet")) == 0
        yield Numbers(data, RunDir(folder / "runs" / "numbers"))
        assert snapshot(data) == before, "a command wrote into the data folder"


@pytest.fixture(scope="module")
def plain(tiny_dataset, tmp_path_factory):
    """One epoch with the defaults, which the variants below differ from."""
    out = tmp_path_factory.mktemp("plain")
    assert main(train_arguments(tiny_dataset, out, "plain", *BARE, "--quiet")) == 0
    return RunDir(out / "plain")


# `""`, `0` and `00`


class TestLabelsThatLookLikeNothing:
    def test_they_are_classes_in_the_mapping(self, numbers):
        mapping = json.loads(numbers.run.labels_mapping.read_text(encoding="utf-8"))
        assert mapping["num_classes"] == 5
        assert list(mapping["class_to_idx"])[:3] == ["", "0", "00"]
        assert [mapping["idx_to_class"][str(index)] for index in range(3)] == ["", "0", "00"]
        assert mapping["contract"]["labels"] == list(mapping["class_to_idx"])

    def test_they_are_in_the_file_that_is_shipped(self, numbers):
        metadata = {entry.key: entry.value for entry in onnx.load(numbers.run.onnx).metadata_props}
        labels = json.loads(metadata[CONTRACT_KEY])["labels"]
        assert labels[:3] == ["", "0", "00"]
        assert json.loads(metadata["names"]) == {str(index): name for index, name in enumerate(labels)}
        beside = json.loads(numbers.run.export_labels_mapping.read_text(encoding="utf-8"))
        assert beside["contract"] == json.loads(metadata[CONTRACT_KEY])

    def test_confusion_names_them(self, clf, numbers):
        done = clf("confusion", numbers.run.root, "--json")
        assert done.code == 0, done.stderr
        found = json.loads(done.stdout)
        assert found["result"]["labels"][:3] == ["", "0", "00"]
        assert np.sum(found["result"]["counts"]) == found["data"]["images"] == 22
        header, first, *_ = numbers.run.report("confusion", ".csv").read_text(encoding="utf-8").splitlines()
        assert ',"",0,00,' in header
        assert first.startswith('"",')
        with numbers.run.report("confusion", ".csv").open(newline="", encoding="utf-8") as file:
            table = list(csv.reader(file))
        assert [row[0] for row in table[1:]] == table[0][1:] == found["result"]["labels"]
        assert [list(map(int, row[1:])) for row in table[1:]] == found["result"]["counts"]

    def test_people_see_a_word_for_the_empty_one(self, clf, numbers):
        done = clf("confusion", numbers.run.root)
        assert "(empty)" in done.stdout
        assert "(empty)" in clf("inspect-dataset", numbers.data).stdout

    def test_splits_csv_quotes_it(self, numbers):
        with numbers.run.splits.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert {row["label"] for row in rows} >= {"", "0", "00"}
        assert ',"",train' in numbers.run.splits.read_text(encoding="utf-8")

    def test_a_consumer_of_thirty_lines_says_what_clf_says(self, numbers):
        classifier = open_classifier(numbers.run.onnx)
        dataset = load_run_dataset(numbers.run, read_settings(numbers.run.settings).data, classifier.labels)
        found = predict_split(classifier, dataset, "test")
        paths = [str(numbers.data / path) for path in found.paths]
        done = subprocess.run(
            [sys.executable, str(MINIMAL), str(numbers.run.onnx), *paths], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert [answer["label"] for answer in answers] == [classifier.labels.names[i] for i in found.predicted]
        np.testing.assert_allclose([answer["probability"] for answer in answers], found.confidences, atol=1e-5)

    def test_other_data_are_matched_by_name(self, clf, numbers, tmp_path):
        """One folder with the classes 0 and 00 only: neither becomes the first class of the model."""
        for name, value in (("0", 50), ("00", 200)):
            (tmp_path / "data" / name).mkdir(parents=True)
            Image.new("RGB", (30, 30), (value, 0, 0)).save(tmp_path / "data" / name / "x.png")
        found = json.loads(clf("confusion", numbers.run.root, "--data", tmp_path / "data", "--json").stdout)
        assert np.sum(found["result"]["counts"], axis=1).tolist() == [0, 1, 1, 0, 0]


# Export and validation of a real run


class TestExport:
    def test_both_weight_sets_leave_a_checked_file_each(self, clf, numbers, tmp_path):
        logits = {}
        for kind in ("ema", "live"):
            path = tmp_path / f"{kind}.onnx"
            flag = "--ema" if kind == "ema" else "--no-ema"
            done = clf("export", numbers.run.best, flag, "-o", path)
            assert (done.code, done.stdout) == (0, f"{path.as_posix()}\n"), done.stderr
            classifier = open_classifier(path)
            assert classifier.weights == kind
            dataset = load_run_dataset(numbers.run, read_settings(numbers.run.settings).data, classifier.labels)
            logits[kind] = predict_split(classifier, dataset, "val").logits
            checked = clf("validate-onnx", path, "--data", numbers.data, "--against", numbers.run.best)
            assert checked.code == 0, checked.stdout + checked.stderr
        assert np.abs(logits["ema"] - logits["live"]).max() > 1e-3

    def test_the_suffix_of_a_checkpoint_means_nothing(self, clf, numbers, tmp_path):
        (tmp_path / "ckpt.pt").write_bytes(numbers.run.best.read_bytes())
        done = clf("export", tmp_path / "ckpt.pt", "--ema")
        assert (done.code, Path(done.stdout.strip())) == (0, tmp_path / "ckpt.onnx"), done.stderr
        assert open_classifier(tmp_path / "ckpt.onnx").labels.names[:3] == ("", "0", "00")

    def test_the_shipped_file_is_as_good_as_its_checkpoint(self, clf, numbers):
        done = clf("validate-onnx", numbers.run.onnx, "--data", numbers.data, "--json")
        assert done.code == 0, done.stderr
        result = json.loads(done.stdout)["result"]
        assert result["passed"]
        assert result["accuracy"] == result["images"]["reference_accuracy"]

    def test_the_checkpoint_of_other_classes_says_no(self, clf, numbers, plain):
        done = clf("validate-onnx", numbers.run.onnx, "--against", plain.best)
        assert done.code == 1, done.stderr
        assert "labels differ" in done.stdout + done.stderr
        done = clf("validate-onnx", numbers.run.onnx, "--against", plain.best, "--data", numbers.data)
        assert done.code == 1
        assert "labels differ" in done.stdout + done.stderr

    def test_the_checkpoint_of_another_seed_says_no(self, clf, tiny_dataset, tiny_run, tmp_path):
        assert clf(*train_arguments(tiny_dataset, tmp_path, "other", *BARE, "--seed", "5")).code == 0
        done = clf("validate-onnx", tiny_run.onnx, "--against", tmp_path / "other", "--data", tiny_dataset, "--json")
        assert done.code == 1, done.stderr
        result = json.loads(done.stdout)["result"]
        assert not result["passed"]
        assert result["reasons"]
        assert "Error:" in done.stderr


# Layouts


def train(clf, data, out, *more):
    done = clf(*train_arguments(data, out, "run", *BARE, *more))
    assert done.code == 0, done.stderr
    return RunDir(out / "run")


def splits_of(run):
    with run.splits.open(newline="", encoding="utf-8") as file:
        return {row["path"]: (row["label"], row["split"]) for row in csv.DictReader(file)}


def draw(root, *names):
    rng = np.random.default_rng(len(names))
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        draw_disc(list(COLORS.values())[number % 3], rng).save(root / name)


class TestLayouts:
    def test_folders_without_splits(self, clf, tmp_path):
        draw(tmp_path / "data", *(f"{name}/{i}.png" for i in range(20) for name in ("01", "1")))
        before = snapshot(tmp_path / "data")
        run = train(clf, tmp_path / "data", tmp_path / "runs", "--val-fraction", "0.4")
        found = splits_of(run)
        assert len(found) == 40
        assert {split for _, split in found.values()} == {"train", "val"}
        assert all(path.startswith(f"{label}/") for path, (label, _) in found.items())
        assert read_checkpoint(run.last).labels == Labels(("01", "1"))
        assert snapshot(tmp_path / "data") == before
        again = train(clf, tmp_path / "data", tmp_path / "again", "--val-fraction", "0.4")
        assert splits_of(again) == found
        other = train(clf, tmp_path / "data", tmp_path / "other", "--val-fraction", "0.4", "--seed", "1")
        assert splits_of(other) != found

    def test_a_csv_manifest_with_a_split_column(self, clf, tmp_path):
        names = [f"pictures/{i:02d}.png" for i in range(12)]
        draw(tmp_path, *names)
        splits = ["train"] * 6 + ["valid"] * 3 + ["test"] * 3
        lines = [f'{name},"{("", "x, y")[i % 2]}",{splits[i]}' for i, name in enumerate(names)]
        (tmp_path / "all.csv").write_text("\n".join(["path,label,split", *lines]) + "\n")
        run = train(clf, tmp_path / "all.csv", tmp_path / "runs")
        found = splits_of(run)
        assert [found[name] for name in names] == [
            (("", "x, y")[i % 2], splits[i].replace("valid", "val")) for i in range(12)
        ]
        assert report(run, "train")["test"] is not None
        unnamed = train_arguments(tmp_path / "all.csv", tmp_path / "runs", "x", *BARE)
        done = clf(*(argument for argument in unnamed if argument not in ("--name", "x")))
        assert Path(done.stdout.strip()) == tmp_path / "runs" / "all", "named after the manifest"

    @pytest.mark.parametrize("spelling", ["valid", "validation", "Val"])
    def test_other_names_of_val(self, clf, tmp_path, spelling):
        draw(
            tmp_path / "data",
            *(f"{split}/{n}/{i}.png" for split in ("train", spelling) for i in range(4) for n in "ab"),
        )
        run = train(clf, tmp_path / "data", tmp_path / "runs")
        assert {path.split("/")[0]: split for path, (_, split) in splits_of(run).items()} == {
            "train": "train", spelling: "val",
        }  # fmt: skip
        assert report(run, "train")["val"]["val/acc_top1"] is not None

    def test_json_lines_keep_other_keys_and_folders_beside_are_no_data(self, clf, tmp_path):
        data = tmp_path / "data"
        for split in ("train", "valid"):
            draw(data / split, *(f"images/{i}.png" for i in range(6)))
            rows = [{"image": f"images/{i}.png", "suffix": "0" * (i % 3), "prefix": "read"} for i in range(6)]
            (data / split / "annotations.jsonl").write_text("".join(json.dumps(row) + "\r\n" for row in rows))
        draw(data / "extras", "a.png")
        done = clf(*train_arguments(data, tmp_path / "runs", "run", *BARE))
        assert done.code == 0, done.stderr
        assert "Outside the splits, not read: 1 image in extras." in done.stderr
        assert read_checkpoint(RunDir(tmp_path / "runs" / "run").last).labels == Labels(("", "0", "00"))


# Switches: each changes what it says, and is stored


@pytest.fixture
def varied(clf, tiny_dataset, tmp_path):
    """Trains with some flags; the rest is as in `plain`."""
    return lambda *flags: train(clf, tiny_dataset, tmp_path, *flags)


def loss_of(run):
    return float(rows_of(run)[0]["train/loss"])


class TestImbalance:
    @pytest.mark.parametrize("balance", ["none", "loss", "sampler", "both"])
    def test_balance(self, clf, numbers, tmp_path, balance):
        run = train(clf, numbers.data, tmp_path, "--balance", balance)
        found = report(run, "sampler")
        truth = np.array([17, 6, 10, 27, 46])
        share = truth / truth.sum()
        expected = np.full(5, 106 / 5) if balance in ("sampler", "both") else truth
        np.testing.assert_allclose(found["expected"], expected)
        assert sum(found["drawn"]) == 106
        assert (found["drawn"] == truth.tolist()) == (balance in ("none", "loss"))
        prior = {
            "none": share,
            "loss": np.full(5, 0.2),
            "sampler": np.full(5, 0.2),
            "both": (1 / share) / (1 / share).sum(),
        }
        np.testing.assert_allclose(found["effective_prior"], prior[balance], rtol=1e-6)
        assert rows_of(run)[0]["images"] == "106"

    def test_only_the_training_loss_is_weighted(self, clf, numbers, tmp_path):
        """At a learning rate of nearly nothing the networks are equal, and so are the scores."""
        still = ("--lr", "1e-12", "--weight-decay", "0", "--augment", "none")
        runs = [train(clf, numbers.data, tmp_path / b, "--balance", b, *still) for b in ("none", "loss")]
        first, second = (rows_of(run)[0] for run in runs)
        assert float(first["val/loss"]) == pytest.approx(float(second["val/loss"]), rel=1e-6)
        assert float(first["train/loss"]) != pytest.approx(float(second["train/loss"]), rel=1e-3)


class TestLosses:
    def test_mixup_and_cutmix(self, varied, plain):
        run = varied("--mixup", "0.2", "--cutmix", "0.2")
        assert loss_of(run) != loss_of(plain)
        assert read_settings(run.settings).augment.cutmix == 0.2

    def test_focal_loss_is_lower_and_without_focus_is_cross_entropy(self, clf, tiny_dataset, plain, tmp_path):
        focused = train(clf, tiny_dataset, tmp_path / "focused", "--loss", "focal")
        assert loss_of(focused) < 0.9 * loss_of(plain)
        unfocused = train(clf, tiny_dataset, tmp_path / "unfocused", "--loss", "focal", "--focal-gamma", "0")
        assert loss_of(unfocused) == pytest.approx(loss_of(plain), rel=1e-5)

    def test_val_loss_is_not_smoothed(self, clf, tiny_dataset, tmp_path):
        still = ("--lr", "1e-12", "--weight-decay", "0", "--augment", "none")
        runs = [train(clf, tiny_dataset, tmp_path / s, "--label-smoothing", s, *still) for s in ("0", "0.4")]
        first, second = (rows_of(run)[0] for run in runs)
        assert float(first["val/loss"]) == pytest.approx(float(second["val/loss"]), rel=1e-6)
        assert float(first["train/loss"]) != pytest.approx(float(second["train/loss"]), rel=1e-4)


def optimizer_of(run):
    return torch.load(run.last, weights_only=True)["optimizer_states"][0]


class TestOptimisation:
    def test_sgd(self, varied):
        state = optimizer_of(varied("--optimizer", "sgd", "--lr", "0.01"))
        assert all(set(entry) == {"momentum_buffer"} for entry in state["state"].values())
        assert all(group["nesterov"] and group["momentum"] == 0.9 for group in state["param_groups"])

    def test_the_heads_learning_rate(self, varied, plain):
        rates = {group["initial_lr"] for group in optimizer_of(varied("--head-lr-scale", "5"))["param_groups"]}
        assert sorted(rates) == pytest.approx([1e-3, 5e-3])
        assert {group["initial_lr"] for group in optimizer_of(plain)["param_groups"]} == {1e-3}

    def test_a_frozen_body_keeps_its_weights_and_statistics(self, varied, plain):
        before = read_checkpoint(plain.best).state_dict
        run = varied("--init-from", str(plain.best), "--freeze-epochs", "1")
        after = read_checkpoint(run.last).weights(ema=False)[0]
        head = {name for name in before if name.startswith("fc.")}
        assert len(head) == 2
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        assert changed == head

    def test_a_body_that_thaws_learns(self, varied, plain):
        before = read_checkpoint(plain.best).state_dict
        run = varied("--init-from", str(plain.best), "--freeze-epochs", "1", "--epochs", "2")
        after = read_checkpoint(run.last).weights(ema=False)[0]
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        assert changed == set(before)

    def test_accumulation_halves_the_steps(self, varied, plain):
        assert torch.load(plain.last, weights_only=True)["global_step"] == 8  # 60 images in eights
        run = varied("--accumulate", "2")
        assert torch.load(run.last, weights_only=True)["global_step"] == 4
        assert loss_of(run) != loss_of(plain)

    def test_accumulation_of_an_odd_number_of_batches(self, varied):
        run = varied("--accumulate", "3")
        assert torch.load(run.last, weights_only=True)["global_step"] == 3

    def test_a_subset_is_stratified_and_recorded(self, varied):
        run = varied("--subset", "0.5")
        assert rows_of(run)[0]["images"] == "30"
        train_rows = [label for label, split in splits_of(run).values() if split == "train"]
        assert {label: train_rows.count(label) for label in COLORS} == dict.fromkeys(COLORS, 10)
        assert report(run, "train")["val"] is not None

    def test_bfloat16_trains_and_scores_stay_fp32(self, varied, plain):
        run = varied("--precision", "bf16")
        assert json.loads(run.run_json.read_text())["precision"] == "bf16"
        assert loss_of(run) != loss_of(plain)
        assert loss_of(run) == pytest.approx(loss_of(plain), rel=0.05)
        state = read_checkpoint(run.best).state_dict
        assert {value.dtype for value in state.values() if value.is_floating_point()} == {torch.float32}
        classifier = open_classifier(run.best)
        dataset = load_run_dataset(run, read_settings(run.settings).data, classifier.labels)
        assert predict_split(classifier, dataset, "val").losses.mean() == float(rows_of(run)[0]["val/loss"])


class TestAverage:
    def test_without_it_there_is_one_weight_set(self, clf, varied):
        run = varied("--no-ema")
        content = torch.load(run.last, weights_only=True)
        assert "current_model_state" not in content
        checkpoint = read_checkpoint(run.best)
        assert (checkpoint.scored_weights, checkpoint.live_state) == ("live", None)
        assert json.loads(run.report("metrics").read_text())["model"]["weights"] == "live"
        assert json.loads(run.labels_mapping.read_text())["contract"]["weights"] == "live"
        refused = clf("export", run.root, "--ema")
        assert refused.code == 4
        assert "--no-ema" in refused.stderr

    def test_it_follows_the_weights_while_it_warms_up(self, varied):
        checkpoint = read_checkpoint(varied("--ema-warmup-steps", "100").last)
        assert checkpoint.live_state is not None
        assert all(torch.equal(value, checkpoint.live_state[name]) for name, value in checkpoint.state_dict.items())


class TestPreprocessing:
    @pytest.mark.parametrize("mode", ["letterbox", "crop"])
    def test_the_resize_mode_travels_with_the_weights(self, clf, tmp_path, mode):
        """From the flag to checkpoint, mapping and ONNX file, and to the numbers: the images are not square."""
        rng = np.random.default_rng(0)
        for split in ("train", "val"):
            for name, color in COLORS.items():
                (tmp_path / "data" / split / name).mkdir(parents=True)
                for i in range(4):
                    draw_disc(color, rng).resize((40, 20)).save(tmp_path / "data" / split / name / f"{i}.png")
        exported = [flag for flag in BARE if flag != "--no-export"]
        done = clf(*train_arguments(tmp_path / "data", tmp_path, "run", *exported, "--resize-mode", mode))
        assert done.code == 0, done.stderr
        run = RunDir(tmp_path / "run")
        assert read_checkpoint(run.best).preprocess.resize_mode == mode
        for mapping in (run.labels_mapping, run.export_labels_mapping):
            assert json.loads(mapping.read_text())["contract"]["preprocess"]["resize_mode"] == mode
        assert open_classifier(run.onnx).preprocess.resize_mode == mode
        done = clf("validate-onnx", run.onnx, "--json")
        assert json.loads(done.stdout)["result"]["images"]["flips"] == []


class TestRun:
    def test_it_stops_early_and_says_so(self, clf, tiny_dataset, tmp_path):
        impatient = ("--patience", "1", "--min-delta", "1", "--epochs", "6")
        done = clf(*train_arguments(tiny_dataset, tmp_path, "run", *BARE, *impatient))
        assert done.code == 0, done.stderr
        assert "stopped early" in done.stderr
        run = RunDir(tmp_path / "run")
        assert [row["epoch"] for row in rows_of(run)] == ["1", "2"]
        assert report(run, "train")["stopped_early"] is True
        assert json.loads(run.run_json.read_text())["status"] == "finished"

    def test_it_goes_on_while_the_metric_gets_better(self, varied):
        """Lower is better for a loss: with the direction turned round it would stop after two epochs."""
        run = varied("--monitor", "val/loss", "--patience", "1", "--min-delta", "0", "--epochs", "3")
        first, second, _ = (float(row["val/loss"]) for row in rows_of(run))
        assert second < first, "else this shows nothing"

    def test_it_goes_on_when_told_to(self, varied):
        run = varied("--patience", "1", "--min-delta", "1", "--epochs", "3", "--no-early-stopping")
        assert len(rows_of(run)) == 3
        assert report(run, "train")["stopped_early"] is False

    def test_step_checkpoints(self, varied):
        run = varied("--checkpoint-every-steps", "3")
        assert sorted(path.name for path in run.checkpoints.glob("step-*")) == [
            "step-00000003.ckpt", "step-00000006.ckpt",
        ]  # fmt: skip
        assert read_checkpoint(run.step_checkpoint(3)).resumable

    @pytest.mark.parametrize("monitor", ["val/loss", "val/f1_macro"])
    def test_the_monitored_metric_picks_the_best(self, varied, monitor):
        run = varied("--monitor", monitor, "--epochs", "3", "--lr", "0.01")
        values = [float(row[monitor]) for row in rows_of(run)]
        best = (min if monitor == "val/loss" else max)(values)
        score = read_checkpoint(run.best).score
        assert score is not None
        assert (score.metric, score.value) == (monitor, best)
        assert values[report(run, "train")["best_epoch"] - 1] == best

    def test_a_metric_that_is_undefined_cannot_be_monitored(self, clf, tiny_dataset, tmp_path):
        done = clf(*train_arguments(tiny_dataset, tmp_path, "run", *BARE, "--monitor", "val/acc_top5"))
        assert done.code == 2
        assert "undefined for 3 classes" in done.stderr
        assert "val/acc_top1" in done.stderr
        assert not (tmp_path / "run").exists()

    def test_one_image_at_a_time_is_too_few_for_batch_normalisation(self, clf, tiny_dataset, tmp_path):
        done = clf(*train_arguments(tiny_dataset, tmp_path, "run", *BARE, "--batch-size", "1"))
        assert done.code == 6
        assert "Traceback" not in done.stderr
        assert "--batch-size" in done.stderr

    def test_reports_of_a_run_without_validation_name_the_file_that_is_there(self, clf, tiny_dataset, tmp_path):
        flags = [flag for flag in BARE if flag != "--no-confusion"]
        assert clf(*train_arguments(tiny_dataset, tmp_path, "run", *flags, "--no-val")).code == 0
        run = RunDir(tmp_path / "run")
        stored = json.loads(run.report("confusion-test").read_text())
        assert stored["model"]["path"] == "checkpoints/last.ckpt"
        done = clf("confusion", run.root, "--split", "test", "--json")
        assert json.loads(done.stdout) == stored

    def test_the_report_is_one_document_and_the_path_one_line(self, clf, tiny_dataset, tmp_path):
        done = clf(*train_arguments(tiny_dataset, tmp_path, "json", *BARE, "--json"))
        document = json.loads(done.stdout)
        assert document["kind"] == "train"
        assert document == json.loads(RunDir(tmp_path / "json").report("train").read_text())
        assert all(value is None or math.isfinite(value) for value in document["result"]["val"].values())
        done = clf(*train_arguments(tiny_dataset, tmp_path, "line", *BARE, "--quiet"))
        assert done.stdout == f"{(tmp_path / 'line').as_posix()}\n"
        assert done.stderr == ""
