import json
from datetime import UTC, datetime, timedelta

import pytest

from clf_cli.engine.run_files import QUIET_EPOCHS, QUIET_FIRST, QUIET_FLOOR, mixed, read_run, short
from clf_cli.errors import ModelError
from clf_cli.values.run_dir import RunDir
from tests.edited_runs import edited, silence

NOW = datetime(2030, 1, 2, tzinfo=UTC)


def test_a_run_is_what_its_files_say(tiny_run):
    files = read_run(tiny_run)
    assert files.record.status == files.status(NOW) == "finished"
    assert [row["epoch"] for row in files.rows] == [1, 2]
    assert files.weights == "ema"
    assert len(files.epoch_seconds) == 2
    assert files.seconds == pytest.approx(sum(files.epoch_seconds))
    assert files.changed <= datetime.now(UTC)


def test_the_duration_is_what_training_reported(tiny_run):
    reported = json.loads(tiny_run.report("train").read_text())["result"]["seconds"]
    assert read_run(tiny_run).seconds == pytest.approx(reported, abs=1e-3)


@pytest.mark.parametrize(
    ("epoch_seconds", "silence_seconds", "silent"),
    [
        ((1, 1), QUIET_FLOOR - 1, False),  # short epochs: a pause says nothing for a while
        ((1, 1), QUIET_FLOOR + 1, True),
        ((1, 900), 900 * QUIET_EPOCHS - 1, False),  # the longest epoch counts
        ((1, 900), 900 * QUIET_EPOCHS + 1, True),
        ((), QUIET_FIRST - 1, False),  # nobody knows how long the first takes
        ((), QUIET_FIRST + 1, True),
        ((1, 1), -50, False),  # a clock that is behind
    ],
)
def test_a_run_that_says_running_is_doubted_after_a_long_silence(
    tiny_run, tmp_path, epoch_seconds, silence_seconds, silent
):
    run = edited(tiny_run, tmp_path / "run", status="running")
    lines = [f"{number},{seconds},1,0,0\n" for number, seconds in enumerate(epoch_seconds, start=1)]
    run.timing.write_text("epoch,seconds,images_per_second,data_wait,memory_mb\n" + "".join(lines))
    silence(run, NOW - timedelta(seconds=silence_seconds))
    files = read_run(run)
    assert files.is_silent(NOW) == silent
    assert files.status(NOW) == ("running?" if silent else "running")


@pytest.mark.parametrize("status", ["finished", "interrupted", "failed"])
def test_a_run_that_ended_is_never_doubted(tiny_run, tmp_path, status):
    run = edited(tiny_run, tmp_path / "run", status=status)
    silence(run, NOW - timedelta(days=900))
    assert read_run(run).status(NOW) == status


def test_any_file_that_training_writes_is_a_sign_of_life(tiny_run, tmp_path):
    run = edited(tiny_run, tmp_path / "run", status="running")
    silence(run, NOW - timedelta(days=1))
    run.checkpoints.mkdir(exist_ok=True)
    run.last.touch()
    assert not read_run(run).is_silent(datetime.now(UTC))


@pytest.mark.parametrize(
    ("timing", "seconds"),
    [
        ("", None),
        ("epoch,seconds\n", None),
        ("epoch,seconds\n1,2.5\n2,", 2.5),  # killed while it wrote
        ("epoch,seconds\n1,2.5\n2,x\n3,nan\n3,1.25\n", 3.75),
        ("a,b\n1,2\n", None),
    ],
)
def test_an_unfinished_timing_line_is_not_counted(tiny_run, tmp_path, timing, seconds):
    run = edited(tiny_run, tmp_path / "run")
    run.timing.write_text(timing)
    assert read_run(run).seconds == seconds


def test_a_run_before_its_first_epoch_has_no_rows(tiny_run, tmp_path):
    run = edited(tiny_run, tmp_path / "run", rows=lambda rows: [], status="running")
    run.timing.unlink()
    files = read_run(run)
    assert (files.rows, files.epoch_seconds, files.seconds) == ((), (), None)


def test_a_record_of_an_earlier_clf_has_no_start(tiny_run, tmp_path):
    assert read_run(tiny_run).record.started is not None
    run = edited(tiny_run, tmp_path / "run")
    record = json.loads(run.run_json.read_text())
    del record["started"]
    run.run_json.write_text(json.dumps(record))
    assert read_run(run).record.started is None


@pytest.mark.parametrize(
    ("break_run", "says"),
    [
        (lambda run: run.run_json.write_text("{"), "run.json cannot be read"),
        (lambda run: run.run_json.write_text("[]"), "run.json cannot be read"),
        (lambda run: run.run_json.write_text('{"format_version": 99, "clf": "7.0"}'), "by a later clf (7.0)"),
        (lambda run: run.run_json.unlink(), "is not a run: it has no run.json"),
        (lambda run: run.settings.unlink(), "No settings file"),
        (lambda run: run.settings.write_text("a = ["), "not valid TOML"),
        (lambda run: run.settings.write_text("[optim]\nspeed = 1\n"), "optim.speed"),
        (lambda run: run.metrics.write_text("x\n"), "not a metrics.csv"),
    ],
)
def test_what_is_broken_is_named_with_exit_4(tiny_run, tmp_path, break_run, says):
    run = edited(tiny_run, tmp_path / "run")
    break_run(run)
    with pytest.raises(ModelError) as raised:
        read_run(run)
    assert says in raised.value.message
    assert str(run.root) in raised.value.message
    assert raised.value.exit_code == 4


def test_what_is_no_run_is_told_apart(tiny_run, tmp_path):
    (tmp_path / "file").write_text("x")
    for path, says in ((tmp_path / "gone", "There is no "), (tmp_path / "file", "is a file"), (tmp_path, "not a run")):
        with pytest.raises(ModelError) as raised:
            read_run(RunDir(path))
        assert says in raised.value.message
        assert "clf train" in (raised.value.hint or "")
    with pytest.raises(ModelError) as raised:
        read_run(RunDir(tiny_run.best))
    assert str(tiny_run.root) in (raised.value.hint or "")


def test_fingerprints_are_shown_short():
    assert [short(text) for text in ("sha256:3b20703ff8bebf5e", "3b", "")] == ["3b20703f", "3b", ""]


def test_what_does_not_compare_is_a_finding():
    assert mixed([], "metrics") == mixed(["a"], "metrics") == ()
    assert [finding["reason"] for finding in mixed(["a", "b"], "metrics")] == ["scores of 2 metrics are in one list"]
