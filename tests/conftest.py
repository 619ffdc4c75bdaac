"""Fixtures of the whole suite: images drawn in code, one real CPU training, no network, no CLF_* variables."""

import os
import sys
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch: two threads on two busy cores are ten times slower
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.pop("CI", None)  # the program hides its bar there
if sys.dont_write_bytecode:  # a container's habit: each child that imports torch would compile for 6 s what it imports
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.pycache_prefix = str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode")
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    sys.dont_write_bytecode = False

import socket
from collections.abc import Iterator

import hypothesis
import pytest

from clf_cli.__main__ import main
from clf_cli.values.run_dir import RunDir
from tests.running import Clf, Finished, draw_discs, train_arguments

# A busy machine is no failure, and CI sees what was seen here.
hypothesis.settings.register_profile("clf", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("clf")

LEAKING = ("COLUMNS", "FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS")  # they change what Typer and rich print


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate-golden", action="store_true", help="Write tests/golden/ anew, to review as a diff.")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No setting leaks in, caches go to a temporary folder, and tables have one width."""
    for name in [name for name in os.environ if name.startswith("CLF_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CLF_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("NO_COLOR", "1")
    for name in LEAKING:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True, scope="session")
def cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The cache of the person who runs the tests is neither read nor written, by fixtures of modules either."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("CLF_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """A test that opens a connection fails; sockets between processes of this machine are no network."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        connect = socket.socket.connect

        def refuse(self: socket.socket, address: object) -> None:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                raise OSError(f"the tests have no network, and something asked for {address}")
            connect(self, address)  # type: ignore[arg-type]  # whatever the caller passed

        monkeypatch.setattr(socket.socket, "connect", refuse)
        yield


@pytest.fixture
def clf(capfd: pytest.CaptureFixture[str]) -> Clf:
    """Runs the program as its entry point does, in this process; what its processes write is captured too."""

    def run(*arguments: object) -> Finished:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Finished(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes in folders with three splits. Read-only: tests that change data draw their own."""
    return draw_discs(tmp_path_factory.mktemp("tiny") / "discs")


@pytest.fixture(scope="session")
def tiny_run(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """One real training of two epochs with every callback on and every picture drawn. Read-only."""
    out = tmp_path_factory.mktemp("runs")
    assert main(train_arguments(tiny_dataset, out, "tiny", "--pictures", "every")) == 0
    return RunDir(out / "tiny")
