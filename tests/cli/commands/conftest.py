"""What the tests of several commands start from."""

import shutil
from pathlib import Path

import pytest

from clf_cli.values.run_dir import RunDir


@pytest.fixture
def run(tiny_run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDir:
    """A copy of the trained run that a test may change, as runs/tiny of the working folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_run.root, tmp_path / "runs" / "tiny")
    return RunDir(Path("runs/tiny"))
