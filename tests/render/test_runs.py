import csv
import io

from rich.console import Console

from clf_cli.engine.runs import RunRow, RunsResult
from clf_cli.render.runs import csv_text, table


def row(name="a", **values):
    facts = {
        "run_id": "abc",
        "arch": "resnet18",
        "data": "jerseys",
        "data_fingerprint": "sha256:3b20703ff8bebf5e",
        "image_size": 96,
        "seed": 0,
        "epochs": 15,
        "epochs_planned": 15,
        "metric": "val/acc_top1",
        "score": 0.914,
        "best_epoch": 10,
        "weights": "ema",
        "test_score": 0.896,
        "onnx": "passed",
        "seconds": 666.0,
        "started": "2030-01-02T12:00:00+00:00",
        "changed": "2030-01-02T13:00:00+00:00",
    }
    return RunRow(f"runs/{name}", name, **{"status": "finished", **facts, **values})


def result(*rows, **values):
    return RunsResult("runs", values.pop("found", len(rows)), values.pop("sort", "score"), rows, **values)


def printed(shown, width=200):
    console = Console(width=width, no_color=True)
    with console.capture() as capture:
        console.print(table(shown))
    return capture.get()


def cells(text):
    lines = [line for line in text.splitlines() if line.startswith(("│", "┃"))]
    header, *body = [[cell.strip() for cell in line.replace("┃", "│").split("│")[1:-1]] for line in lines]
    return [dict(zip(header, line, strict=True)) for line in body]


def test_a_row():
    text = printed(result(row()))
    assert text.startswith("1 run in runs, by score; scores are val/acc_top1\n")
    [shown] = cells(text)
    started = shown.pop("started")
    assert started.startswith("2030-01-0")  # of this machine's time zone
    assert shown == {
        **{"run": "a", "status": "finished", "score": "91.4 %", "in epoch": "10", "test": "89.6 %"},
        **{"arch": "resnet18", "size": "96", "data": "jerseys 3b20703f", "epochs": "15", "weights": "ema"},
        **{"ONNX": "passed", "time": "11 min"},
    }


def test_undefined_is_a_dash_and_a_column_without_values_is_left_out():
    shown = cells(printed(result(row(test_score=None, score=None, epochs=3), row("b", test_score=None))))
    assert "test" not in shown[0]
    assert (shown[0]["score"], shown[0]["epochs"], shown[1]["epochs"]) == ("–", "3/15", "15")


def test_a_list_that_mixes_data_or_metrics_says_so():
    text = printed(
        result(
            row(), row("b", data="groceries", data_fingerprint="sha256:c5c8"), row("c", metric="val/loss", score=0.4)
        )
    )
    assert "Scores of 2 data sets do not compare: jerseys 3b20703f, groceries c5c8." in text
    assert "--filter data=3b20703f" in text
    assert "Scores of 2 metrics do not compare: val/acc_top1, val/loss." in text
    assert "--filter metric=val/acc_top1" in text
    assert [shown["metric"] for shown in cells(text)] == ["val/acc_top1", "val/acc_top1", "val/loss"]
    assert cells(text)[2]["score"] == "0.4"
    assert "do not compare" not in printed(result(row(), row("b")))


def test_broken_and_silent_runs_are_explained():
    broken = RunRow("runs/b", "b", "broken", "run.json cannot be read.")
    silent = row("my run", status="running?", epochs=2)
    text = printed(result(row(), broken, silent, row("d", status="running?", epochs=0)))
    assert "b: run.json cannot be read." in text
    assert "my run: says that it is running, but has written nothing since 2030-01-0" in text
    assert "clf train --resume 'runs/my run'" in text
    assert "--resume runs/d" not in text  # it has nothing to go on from
    assert [shown["status"] for shown in cells(text)] == ["finished", "broken", "running?", "running?"]


def test_only_broken_runs_and_no_runs_at_all():
    assert "b: why" in printed(result(RunRow("runs/b", "b", "broken", "why")))
    assert printed(result(found=7)) == "0 of 7 runs in runs, by score\n"


def test_the_title_counts_and_says_the_order():
    rows = [row(name) for name in "abc"]
    shown = printed(result(*rows, found=9, sort="name", reverse=True, limit=2))
    assert shown.startswith("2 of 9 runs in runs, by name, reversed;")
    assert len(cells(shown)) == 2


def test_narrow_terminals_get_fewer_columns():
    for width in (60, 80, 100):
        text = printed(result(row(), row("b")), width)
        assert max(map(len, text.splitlines())) <= width
        assert "Too narrow for" in text
        assert {"run", "status", "score"} <= set(cells(text)[0])


def test_csv_has_the_keys_of_the_report():
    broken = RunRow("runs/b", "b", "broken", 'a "quoted", reason')
    shown = result(row(), broken, row("c"), limit=2)
    read = list(csv.DictReader(io.StringIO(csv_text(shown))))
    assert [line["name"] for line in read] == ["a", "b"]
    assert list(read[0]) == list(shown.to_result()["runs"][0])
    assert float(read[0]["score"]) == 0.914
    assert (read[1]["error"], read[1]["score"]) == ('a "quoted", reason', "")
