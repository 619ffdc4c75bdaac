import numpy as np
from rich.console import Console

from clf_cli.engine.history import history
from clf_cli.render.history import cells, sparkline, summary, table

NAN = float("nan")


def rows(epochs, validated=True):
    made = []
    for epoch in range(1, epochs + 1):
        row = {
            "epoch": float(epoch),
            "train/loss": 2 / epoch,
            "train/acc_top1": 1 - 1 / (epoch + 1),
            "lr": 1e-3 / epoch,
        }
        score = 0.5 + 0.4 * (epoch == 2) if validated else NAN
        made.append(row | {"val/loss": 1 / epoch if validated else NAN, "val/acc_top1": score, "val/acc_top5": NAN})
    return made


def test_sparkline():
    assert sparkline(np.array([0.0, 0.5, 1.0])) == "▁▅█"
    assert sparkline(np.array([1.0, NAN, 0.0])) == "█ ▁"
    assert sparkline(np.array([2.0, 2.0])) == "▁▁"
    assert sparkline(np.array([NAN])) == sparkline(np.array([])) == ""
    assert len(sparkline(np.arange(500.0))) == 30
    assert sparkline(np.arange(500.0))[::29] == "▁█"


def test_sparklines_that_share_a_scale_share_height_and_epochs():
    scale = np.array([[0.0, 0.5, 1.0, 1.0], [0.0, 0.0, NAN, NAN]])
    assert [sparkline(row[np.isfinite(row)], scale) for row in scale] == ["▁▅██", "▁▁"]
    half = np.full((2, 500), NAN)
    half[0], half[1, :250] = np.arange(500), np.arange(250)
    long, short = sparkline(half[0], half), sparkline(half[1, :250], half)
    assert (len(long), len(short)) == (30, 15)
    assert long.startswith(short)


def test_table():
    console = Console(width=120, no_color=True)
    with console.capture() as capture:
        console.print(table(history(rows(3))))
    cells = {
        line.split("│")[1].strip(): [cell.strip() for cell in line.split("│")[2:-1]]
        for line in capture.get().splitlines()
        if line.startswith("│")
    }
    assert cells["val/acc_top1"] == ["50.0 %", "50.0 %", "90.0 %", "2", "▁█▁"]
    assert cells["train/loss"] == ["2", "0.6667", "0.6667", "3", "█▃▁"]
    assert cells["val/acc_top5"] == ["–", "–", "–", "–", ""]


def test_of_equal_scores_the_table_names_the_one_that_training_took():
    made = [{"epoch": e, "val/acc_top1": 0.9, "val/loss": 1 / e, "lr": 1.0} for e in (1.0, 2.0)]
    result = history(made)
    assert result.best_epoch == 2
    assert cells(result, "val/acc_top1")[2:4] == ("90.0 %", "2")


def test_the_best_epoch_is_told_without_its_score_where_that_was_not_asked_for():
    result = history(rows(3)).only(["lr"])
    assert summary(result) == "3 epochs · best: epoch 2 by val/acc_top1"
