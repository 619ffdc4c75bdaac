import json

import numpy as np
import pytest

from clf_cli.engine.history import best_epoch, history, lower_is_better, matching, read_metrics_csv
from clf_cli.errors import ModelError, UsageError
from clf_cli.values.report import Report

NAN = float("nan")


def rows(accuracies, losses=None):
    losses = losses or [NAN] * len(accuracies)
    return [
        {"epoch": float(i), "val/acc_top1": accuracy, "val/loss": loss}
        for i, (accuracy, loss) in enumerate(zip(accuracies, losses, strict=True), start=1)
    ]


def test_n_rows_are_n_points():
    result = history(rows([0.1, 0.5, 0.4]))
    assert result.epochs == (1, 2, 3)
    np.testing.assert_array_equal(result.column("val/acc_top1"), [0.1, 0.5, 0.4])
    assert result.best_epoch == 2


def test_a_column_that_starts_late_or_never_is_nan():
    result = history([{"epoch": 1.0}, {"epoch": 2.0, "lr": 0.1}])
    np.testing.assert_array_equal(result.column("lr"), [NAN, 0.1])
    np.testing.assert_array_equal(result.column("val/acc_top1"), [NAN, NAN])


@pytest.mark.parametrize(
    ("accuracies", "losses", "best"),
    [
        ([0.5, 0.9, 0.9], [1, 0.8, 0.7], 3),  # equal scores: the lower val loss
        ([0.5, 0.9, 0.9], [1, 0.8, 0.8], 2),  # then the earlier epoch
        ([NAN, 0.3, NAN], [NAN, 0.8, 0.7], 2),
        ([0.9, 0.9], [NAN, 2.0], 2),
        ([NAN, NAN], None, None),
        ([], None, None),
    ],
)
def test_best_epoch(accuracies, losses, best):
    assert best_epoch(rows(accuracies, losses), "val/acc_top1") == best


def test_best_of_a_loss_is_the_lowest():
    assert best_epoch(rows([0.1, 0.2, 0.3], [0.5, 0.4, 0.6]), "val/loss") == 2
    assert [lower_is_better(name) for name in ("val/loss", "val/ece", "val/f1_macro", "val/acc_top5")] == [
        *(True, True, False, False)
    ]


def test_report_form():
    value = json.loads(json.dumps(Report(history(rows([0.1, NAN]))).to_json()))["result"]
    assert value == {
        "epochs": [1, 2],
        "columns": {"val/acc_top1": [0.1, None], "val/loss": [None, None]},
        "monitor": "val/acc_top1",
        "best_epoch": 1,
    }


def test_reading_metrics_csv(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,train/loss,val/loss\n1,2.5,\n2,1.25,0.75\n\n3,1\n")
    read = read_metrics_csv(path)
    assert [row["epoch"] for row in read] == [1, 2, 3]
    assert [row["train/loss"] for row in read] == [2.5, 1.25, 1]
    np.testing.assert_array_equal([row["val/loss"] for row in read], [NAN, 0.75, NAN])


def test_a_header_alone_is_no_epochs(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,train/loss\n")
    assert history(read_metrics_csv(path)).epochs == ()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "There is no "),
        (b"", "no column epoch"),
        (b"a,b\n1,2\n", "no column epoch"),
        (b"epoch,lr\n1,0.1\n2,abc\n", "line 3: lr is 'abc', not a number"),
        (b"epoch,lr\n,0.1\n", "line 2: epoch is missing"),
        (b"epoch,\xff\xfe\n", "Cannot read "),
    ],
)
def test_what_is_not_a_metrics_csv_is_named(tmp_path, content, says):
    path = tmp_path / "metrics.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError) as raised:
        read_metrics_csv(path)
    assert says in raised.value.message
    assert str(path) in raised.value.message
    assert raised.value.exit_code == 4


METRICS = ("train/loss", "train/acc_top1", "val/loss", "val/acc_top1", "lr")


def test_a_metric_is_a_column_or_that_of_every_split():
    assert matching(["loss", "val/loss", "lr"], METRICS) == {
        "loss": ("train/loss", "val/loss"),
        "val/loss": ("val/loss",),
        "lr": ("lr",),
    }
    assert matching([], METRICS) == {}


@pytest.mark.parametrize(
    ("name", "near"),
    [("val/los", "did you mean val/loss?"), ("acc_top", "did you mean acc_top1?"), ("zzz", "is called 'zzz'.")],
)
def test_an_unknown_metric_is_exit_2_with_the_nearest_and_all(name, near):
    with pytest.raises(UsageError) as raised:
        matching(["lr", name], METRICS)
    assert near in raised.value.message
    assert ", ".join(METRICS) in (raised.value.hint or "")


def test_a_part_of_a_course_keeps_its_best_epoch():
    result = history(rows([0.1, 0.5, 0.4], [3, 2, 1]))
    part = result.only(["val/loss", "unknown"])
    assert part.metrics == ("val/loss",)
    assert part.best_epoch == result.best_epoch == 2
    assert result.only(result.columns).to_result() == result.to_result()
