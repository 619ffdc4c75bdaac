"""Several trackers as one: who is told what, and what happens when one fails."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from clf_cli.training.trackers.group import Trackers
from clf_cli.training.trackers.tracker import Ending, Plain
from clf_cli.values.run_dir import RunDir
from tests.running import Clf, train_arguments


@dataclass
class Notebook:
    """A tracker that writes down what it is told, until it breaks."""

    id: str = "n"
    where: str = "here"
    breaks_at: int = 99  # epoch
    told: list[tuple[Any, ...]] = field(default_factory=list)

    def settings(self, values: Mapping[str, Plain]) -> None:
        self.told.append(("settings", dict(values)))

    def scores(self, values: Mapping[str, float], epoch: int) -> None:
        if epoch >= self.breaks_at:
            raise ConnectionResetError("the server went away\nand so on")
        self.told.append(("scores", dict(values), epoch))

    def picture(self, name: str, path: Path, epoch: int) -> None:
        self.told.append(("picture", name, path.name, epoch))

    def file(self, path: Path, folder: str) -> None:
        self.told.append(("file", path.name, folder))

    def close(self, ending: Ending) -> None:
        self.told.append(("close", ending))

    def abandon(self) -> None:
        self.told.append(("abandoned",))
        raise ConnectionResetError


def test_one_that_fails_is_told_once_and_left_while_the_others_go_on() -> None:
    broken, whole, said = Notebook(breaks_at=2), Notebook(), list[str]()
    trackers = Trackers({"broken": broken, "whole": whole}, said.append)
    for epoch in (1, 2, 3):
        trackers.scores({"val/loss": epoch / 2}, epoch)
    trackers.close("finished")
    assert len(said) == 1
    assert "The tracker broken failed" in said[0]
    assert said[0].endswith("ConnectionResetError: the server went away")
    assert [entry[-1] for entry in broken.told] == [1, "abandoned"]
    assert [entry[-1] for entry in whole.told] == [1, 2, 3, "finished"]


def test_undefined_values_are_left_out() -> None:
    notebook = Notebook()
    Trackers({"n": notebook}, print).scores({"val/acc_top5": float("nan"), "val/loss": 1.0}, 1)
    assert notebook.told == [("scores", {"val/loss": 1.0}, 1)]


def test_pictures_are_sent_once_and_only_when_they_are_drawn(tmp_path: Path) -> None:
    run, notebook = RunDir(tmp_path), Notebook()
    trackers = Trackers({"n": notebook}, print)
    trackers.pictures(run, 1)
    run.epoch(1).mkdir(parents=True)
    (run.epoch(1) / "confusion.png").touch()
    trackers.pictures(run, 1)
    trackers.pictures(run, 1)
    assert notebook.told == [("picture", "val/confusion", "confusion.png", 1)]


def test_ctrl_c_in_a_tracker_is_not_its_failure() -> None:
    class Slow(Notebook):
        def scores(self, values: Mapping[str, float], epoch: int) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Trackers({"n": Slow()}, print).scores({}, 1)


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow"])
def test_a_missing_package_is_exit_5_with_the_install_line_before_anything(
    clf: Clf, tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("clf_cli.training.trackers.tracker.NEEDS", {name: ("no_such_package_here",)})
    done = clf(*train_arguments(tiny_dataset, tmp_path / "runs", "run", "--tracker", name))
    assert done.code == 5
    assert f"The tracker {name} is not installed." in done.stderr
    assert f"pip install 'clf-cli[{name}]'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_that_name_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from clf_cli.errors import ExportError
    from clf_cli.training.trackers import tracker

    (tmp_path / "tracked_here").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(tracker, "NEEDS", {"one": ("tracked_here",), "two": ("no_such_package_here",)})
    with pytest.raises(ExportError, match="one and two are not installed") as refused:
        tracker.require_installed(["csv", "one", "two"])
    assert refused.value.hint == "pip install 'clf-cli[one,two]'"


def test_one_that_cannot_start_is_exit_6_and_the_run_is_failed(
    clf: Clf, tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "onlin")
    done = clf(*train_arguments(tiny_dataset, tmp_path, "run", "--tracker", "wandb"))
    assert done.code == 6
    assert "The tracker wandb cannot start" in done.stderr
    assert "--tracker" in done.stderr
    assert '"failed"' in RunDir(tmp_path / "run").run_json.read_text()
