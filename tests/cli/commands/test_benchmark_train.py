"""clf benchmark --train: what it tells, that it leaves nothing behind, and what it refuses."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch

from clf_cli.training.train_benchmark import OF_EPOCHS, OF_STEPS
from tests.running import TINY_ARCH, Clf, report_of

QUICK = (
    *("--arch", TINY_ARCH, "--no-pretrained", "--image-size", "32", "--batch-size", "8", "--device", "cpu"),
    *("--workers", "0", "--seconds", "0.01", "--precision", "fp32"),
)


@pytest.fixture(autouse=True)
def _threads_of_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def listing(folder: Path) -> list[tuple[str, int]]:
    return sorted((path.as_posix(), path.stat().st_mtime_ns) for path in folder.rglob("*"))


def test_rates_parts_and_changes_and_nothing_is_written(
    clf: Clf, tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Path(shutil.copytree(tiny_dataset, tmp_path / "data"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("CLF_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path)
    before = listing(tmp_path / "data")
    report = report_of(clf("benchmark", "--train", "--data", data, *QUICK, "--threads", "1", "--json"))
    assert listing(tmp_path / "data") == before
    assert {path.name for path in tmp_path.iterdir()} == {"data", "temporary"}
    assert list((tmp_path / "temporary").iterdir()) == []
    assert (report["kind"], report["model"]) == ("train_benchmark", None)
    result = report["result"]
    trained = result["trained"]
    assert (trained["arch"], trained["width"], trained["batch_size"], trained["images"]) == (TINY_ARCH, 32, 8, 60)
    assert (trained["precision"], trained["threads"], trained["val_images"]) == ("fp32", 1, 24)
    assert all(rate > 0 for rate in result["images_per_second"].values())
    parts = {part["part"]: part["seconds"] for part in result["parts"]}
    assert tuple(parts) == (*OF_STEPS, *OF_EPOCHS)
    assert all(seconds > 0 for seconds in parts.values())
    assert parts["forward and backward"] == max(parts[part] for part in OF_STEPS)
    assert result["images_per_second"]["epoch"] == pytest.approx(60 / sum(parts.values()))
    assert "--precision bf16" in [change["flag"] for change in result["changes"]]
    assert result["keeps"] is True


def test_the_table_and_the_files(clf: Clf, tiny_dataset: Path, tmp_path: Path) -> None:
    asked = ("--no-val", "--no-ema", "--no-confusion", "--out", tmp_path / "out")
    done = clf("benchmark", "--train", "--data", tiny_dataset, *QUICK, *asked)
    assert done.code == 0, done.stderr
    assert "the limit" in done.stdout
    assert "An epoch of 60 images: about" in done.stdout
    report = json.loads((tmp_path / "out" / "train_benchmark.json").read_text())
    parts = {part["part"]: part["seconds"] for part in report["result"]["parts"]}
    assert parts["validation"] == parts["moving average"] == 0
    with (tmp_path / "out" / "train_benchmark.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    told = {row["name"]: float(row["value"]) for row in rows if row["kind"] == "seconds_of_an_epoch"}
    assert told == pytest.approx(parts, abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "No model is named"),
        (("--train", "model.onnx"), 2, "not the model model.onnx"),
        (("--train", "--data", "DATA", "--batch-sizes", "1"), 2, "--batch-sizes"),
        (("--train", "--data", "DATA", "--threads", "1,2"), 2, "one number of threads"),
        (("model.onnx", "--lr", "0.1", "--image-size", "32"), 2, "--image-size, --lr"),
        (("--train",), 2, "No data given"),
        (("--train", "--data", "nothing"), 3, "nothing"),
        (("--train", "--data", "DATA", "--arch", "resnet1000"), 2, "resnet1000"),
    ],
)
def test_what_is_refused(clf: Clf, tiny_dataset: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = clf("benchmark", *(tiny_dataset if word == "DATA" else word for word in arguments))
    assert (done.code, said in done.stderr) == (code, True), done.stderr
    assert done.stdout == ""
