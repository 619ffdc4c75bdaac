"""Every concern is one function: what its callback wrote for the best epoch is what its command says."""

import json
from pathlib import Path
from typing import Any

import pytest

from clf_cli.data.dataset import load_run_dataset
from clf_cli.engine.metrics import metrics
from clf_cli.engine.predict_split import predict_split
from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.models.classifier import open_classifier
from clf_cli.settings.load import read_settings
from clf_cli.values.predictions import Predictions, ties
from clf_cli.values.report import plain
from clf_cli.values.run_dir import RunDir
from tests.running import Clf


def stored(path: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(path.read_text())
    return report


def predictions_of(run: RunDir, model: Path) -> Predictions:
    """A fresh evaluation of a file on the run's val split."""
    classifier = open_classifier(model)
    dataset = load_run_dataset(run, read_settings(run.settings).data, classifier.labels)
    return predict_split(classifier, dataset, "val")


def test_confusion(clf: Clf, tiny_run: RunDir) -> None:
    before = stored(tiny_run.report("confusion"))
    done = clf("confusion", tiny_run.root, "--json")
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout) == before


def test_confusion_of_the_best_epoch_as_the_run_kept_it(clf: Clf, tiny_run: RunDir) -> None:
    best = stored(tiny_run.report("train"))["result"]["best_epoch"]
    done = clf("confusion", tiny_run.root, "--epoch", best, "--json")
    assert json.loads(done.stdout)["result"] == stored(tiny_run.report("confusion"))["result"]


def test_history(clf: Clf, tiny_run: RunDir, tmp_path: Path) -> None:
    done = clf("history", tiny_run.root, "--json", "--out", tmp_path)
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout) == stored(tiny_run.report("history"))
    assert (tmp_path / "history.png").read_bytes() == tiny_run.history.read_bytes()


@pytest.mark.parametrize("model", ["checkpoints/best.ckpt", "export/model.onnx"])
def test_run_checkpoint_and_onnx_count_the_same(clf: Clf, tiny_run: RunDir, model: str) -> None:
    done = clf("confusion", tiny_run.root / model, "--json")
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout)["result"] == stored(tiny_run.report("confusion"))["result"]


def test_dataset(clf: Clf, tiny_run: RunDir, tiny_dataset: Path) -> None:
    """But for the gate, which is the command's alone."""
    done = clf("inspect-dataset", tiny_dataset, "--image-size", "32", "--json")
    assert done.code == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["result"]["gate"]["passed"]
    report["result"]["gate"] = None
    for finding in report["findings"]:
        del finding["gate"], finding["accepted"]
    kept = stored(tiny_run.report("dataset"))
    for one in (report, kept):  # the command knows no architecture, so no mean and deviation but the usual ones
        del one["result"]["pixels"]["normalized"]
    assert report == kept


@pytest.mark.parametrize(("split", "name"), [("val", "metrics"), ("test", "metrics-test")])
def test_metrics(clf: Clf, tiny_run: RunDir, split: str, name: str) -> None:
    done = clf("evaluate", tiny_run.root, "--split", split, "--json")
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout) == stored(tiny_run.report(name))


def test_metrics_belong_to_the_best_checkpoint(tiny_run: RunDir) -> None:
    fresh = plain(metrics(predictions_of(tiny_run, tiny_run.best)).to_result())
    assert fresh == stored(tiny_run.report("metrics"))["result"]


def test_the_stored_score_is_what_a_fresh_evaluation_gives(tiny_run: RunDir) -> None:
    for path in (tiny_run.best, *tiny_run.top.iterdir()):
        score = read_checkpoint(path).score
        assert score is not None
        assert metrics(predictions_of(tiny_run, path)).acc_top1 == score.value
        if path != tiny_run.best:
            assert path.stem.endswith(f"{score.value:.4f}")


def test_the_onnx_file_scores_what_the_best_checkpoint_scored(tiny_run: RunDir) -> None:
    ours, shipped = predictions_of(tiny_run, tiny_run.best), predictions_of(tiny_run, tiny_run.onnx)
    assert ours.paths == shipped.paths
    assert ((ours.predicted == shipped.predicted) | ties(ours.logits)).all()
    assert metrics(shipped).loss == pytest.approx(metrics(ours).loss, abs=1e-5)


@pytest.mark.parametrize("model", [".", "checkpoints/best.ckpt"])
def test_samples(clf: Clf, tiny_run: RunDir, tmp_path: Path, model: str) -> None:
    done = clf("samples", tiny_run.root / model, "--out", tmp_path, "--json")
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout) == stored(tiny_run.report("samples"))


def test_model_info(clf: Clf, tiny_run: RunDir) -> None:
    done = clf("model-info", tiny_run.root, "--json")
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout) == stored(tiny_run.report("model_info"))


@pytest.mark.parametrize("epoch", [1, 2])
def test_sampler(clf: Clf, tiny_run: RunDir, epoch: int) -> None:
    done = clf("sampler", "--config", tiny_run.settings, "--epoch", epoch, "--json")
    assert done.code == 0, done.stderr
    report = json.loads(done.stdout)
    assert report == stored(tiny_run.epoch(epoch) / "sampler.json")
    assert report["result"]["drawn"] == report["result"]["expected"] == [20, 20, 20]


def test_history_has_a_point_per_epoch(tiny_run: RunDir) -> None:
    result = stored(tiny_run.report("history"))["result"]
    assert [int(line.split(",")[0]) for line in tiny_run.metrics.read_text().splitlines()[1:]] == [1, 2]
    assert len(result["columns"]["val/loss"]) == 2


def test_the_page(clf: Clf, tiny_run: RunDir, tmp_path: Path) -> None:
    """Byte for byte: pictures, predictions and every number that training had in memory."""
    done = clf("report", tiny_run.root, "--out", tmp_path / "page.html")
    assert done.code == 0, done.stderr
    assert (tmp_path / "page.html").read_bytes() == tiny_run.report_page.read_bytes()


def test_validate_onnx_says_yes(clf: Clf, tiny_run: RunDir, tiny_dataset: Path) -> None:
    for data in ((), ("--data", tiny_dataset)):
        done = clf("validate-onnx", tiny_run.onnx, *data, "--json")
        assert done.code == 0, done.stderr
        assert json.loads(done.stdout)["kind"] == "onnx_check"
