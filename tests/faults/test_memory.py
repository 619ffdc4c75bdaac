"""Running out of memory in a real process with a real limit: what is said, and how `--batch-size auto` copes."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.values.run_dir import RunDir
from tests.running import Clf, train_arguments

BARE = ("--no-export", "--no-samples", "--no-history", "--no-confusion", "--no-report", "--no-dataset-stats")
LARGE = ("--image-size", "160", "--epochs", "1", *BARE)  # 10 MB for an image of a step
ROOM = 500 * 2**20  # bytes of addresses beyond those of a process that has loaded everything

# Lays the limit upon itself, shows that it bites, and runs clf.
LIMITED = f"""
import json, resource, sys, torch
import clf_cli.training.fit
from clf_cli.__main__ import main
from clf_cli.data.warp import opencv
from clf_cli.training.room import addresses_used
opencv()
torch.zeros(64, 64) @ torch.zeros(64, 64)
limit = addresses_used() + {ROOM}
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    torch.empty({ROOM} + 2**20, dtype=torch.uint8)
except RuntimeError as error:
    assert "can't allocate memory" in str(error), error
else:
    sys.exit("the limit does not bite")
sys.exit(main(json.loads(sys.argv[1])))
"""


def limited(arguments: list[str]) -> "subprocess.CompletedProcess[str]":
    """clf in a process of its own: one that ran before keeps some of the memory that it freed."""
    command = [sys.executable, "-c", LIMITED, json.dumps(arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is Linux's")
def test_out_of_memory_names_what_fits_and_auto_finds_it(clf: Clf, tiny_dataset: Path, tmp_path: Path) -> None:
    fixed = train_arguments(tiny_dataset, tmp_path, "fixed", *LARGE, "--batch-size", "60")
    auto = train_arguments(tiny_dataset, tmp_path, "auto", *LARGE, "--batch-size", "auto", "--accumulate", "2")
    done, fitted = (limited(arguments) for arguments in (fixed, auto))
    assert (done.returncode, fitted.returncode) == (6, 0), done.stderr + fitted.stderr
    assert "Out of memory on cpu at batch size 60. The largest that fits is " in done.stderr
    assert "--batch-size" in done.stderr
    assert "Traceback" not in done.stderr
    largest = int(done.stderr.split("The largest that fits is ")[1].split(".")[0])
    assert 16 <= largest < 60
    assert json.loads(RunDir(tmp_path / "fixed").run_json.read_text())["status"] == "failed"

    run = RunDir(tmp_path / "auto")
    optim = tomllib.loads(run.settings.read_text())["optim"]
    assert optim["batch_size"] < 60
    assert optim["batch_size"] * optim["accumulate"] == 64
    assert f"--batch-size auto: {optim['batch_size']} images fit" in fitted.stderr
    assert read_checkpoint(run.last).settings["optim"]["batch_size"] == optim["batch_size"]
    went_on = clf("train", "--resume", run.root, "--epochs", "2", "--batch-size", "auto")  # no limit holds here
    assert went_on.code == 0, went_on.stderr
    assert "--batch-size auto" not in went_on.stderr
    assert tomllib.loads(run.settings.read_text())["optim"]["batch_size"] == optim["batch_size"]


def test_auto_is_the_whole_effective_batch_where_it_fits(
    clf: Clf, tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("clf.toml").write_text('[optim]\nbatch_size = "auto"\n')
    arguments = train_arguments(tiny_dataset, tmp_path, "run", "--accumulate", "2", "--json", "--dry-run")
    at = arguments.index("--batch-size")
    done = clf(*arguments[:at], *arguments[at + 2 :])
    assert done.code == 0, done.stderr
    planned = json.loads(done.stdout)["result"]["training"]
    assert (planned["batch_size"], planned["accumulate"]) == (64, 1)
    assert "--batch-size auto: 64 images fit" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is Linux's")
def test_memory_that_runs_out_anywhere_is_no_bug(tiny_dataset: Path, tmp_path: Path) -> None:
    """Too little for torch's libraries, which are loaded after the data were read."""
    limit = "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))"
    bitten = subprocess.run(
        [sys.executable, "-c", f"{limit}; bytearray(400 << 20)"], capture_output=True, text=True, check=False
    )
    assert "MemoryError" in bitten.stderr
    program = f"{limit}; from clf_cli.__main__ import main; sys.exit(main(sys.argv[1:]))"
    arguments = train_arguments(tiny_dataset, tmp_path, "run", *BARE)
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 6, done.stderr
    assert re.search(r"Error: Out of memory while \S+ was loaded, so before any batch\.", done.stderr), done.stderr
    assert "bug" not in done.stderr
    assert not (tmp_path / "run").exists()
