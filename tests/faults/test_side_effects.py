"""Every command with the network blocked and the data read-only: only the run and cache folders are written."""

import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.torch import save_file

from clf_cli.cli.app import COMMAND_TABLE
from clf_cli.models.pretrained import published_at
from clf_cli.models.timm_door import get_pretrained_cfg, timm
from tests.faults.watched_session import COMMANDS, CONTROL, LONG, ONNX, Watched, in_container, watch_session
from tests.running import TINY_ARCH, draw_discs


def contents(folder: Path) -> dict[str, tuple[str, int]]:
    """Hash and time of change of every file."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        str(path.relative_to(folder)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in files
    }


def published_weights(hub: Path) -> Path:
    """A cache of the model hub's client, with weights as published: those that the client would fetch."""
    place = published_at(get_pretrained_cfg(TINY_ARCH)).place
    file = hub / Path(*place.parts[place.parts.index("hub") :])
    file.parent.mkdir(parents=True)
    save_file(timm.create_model(TINY_ARCH).state_dict(), file)
    return hub


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_discs(tmp_path_factory.mktemp("data") / "discs")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published_weights(tmp_path_factory.mktemp("weights") / "hub")


@pytest.fixture(scope="module")
def session(data: Path, weights: Path) -> Iterator[Watched]:
    with reachable() as folder:
        yield watch_session(folder, data, weights)


@contextlib.contextmanager
def reachable() -> Iterator[Path]:
    """A folder that another user can reach, which those of pytest are not."""
    with tempfile.TemporaryDirectory(prefix="clf-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_every_command_is_watched():
    assert {command[0] for command in COMMANDS + LONG} == {name for name, _, _ in COMMAND_TABLE}


def test_every_command_works(session):
    """Where the machine lets us: as a user without name and home, all file systems read-only, and no network at all."""
    told = dict(zip((" ".join(command) for command in COMMANDS), session.codes, strict=False))
    assert len(told) == len(COMMANDS), session.stderr
    assert told == dict.fromkeys(told, 0), session.stderr
    for word in (
        "Traceback",
        "not remembered",
        "temporary cache",
    ):  # clf's and matplotlib's words for a cache that is lost
        assert word not in session.stderr


def test_python_sees_no_write_elsewhere_and_no_socket(session):
    control = {(event.call, event.what) for event in session.audited if event.command == CONTROL}
    assert ("open", str(session.folder / "control" / "python")) in control  # the watch sees what it looks for
    assert ("socket.connect", "('192.0.2.1', 9)") in control
    assert session.elsewhere(session.audited) == []


def test_the_kernel_sees_no_write_elsewhere_and_no_socket(session):
    if session.traced is None:
        pytest.skip("strace is not here, or may not watch processes")
    control = [str(event) for event in session.traced if event.command == CONTROL]
    assert any("control/shell" in event for event in control)  # what Python's events do not show
    assert any("connect" in event and "192.0.2.1" in event for event in control)
    assert session.elsewhere(session.traced) == []


def require_container(session: Watched) -> None:
    if not session.is_read_only:
        pytest.skip("no namespaces for mounts and networks may be made here")


def test_nothing_was_written_where_all_is_read_only(session):
    require_container(session)
    assert not any((session.folder / "control").iterdir())  # the limit bit


def test_a_cache_that_cannot_be_written_is_told_and_costs_nothing_else(session):
    require_container(session)
    scan = in_container(session.folder, "inspect-dataset", "data", "--no-near-duplicates")
    assert (scan.code, "Cannot write /.cache/clf/" in scan.stderr, "CLF_CACHE_DIR names" in scan.stderr) == (
        0,
        True,
        True,
    )


def test_only_what_needs_temporary_files_is_refused_where_there_can_be_none(session):
    require_container(session)
    predicted = in_container(session.folder, "predict", ONNX, "-r", "data/val")
    assert (predicted.code, len(predicted.stdout.splitlines())) == (0, 24), predicted.stderr
    refused = in_container(session.folder, "benchmark", ONNX, "--seconds", "0.1")
    assert refused.code == 6
    assert "No folder for temporary files" in refused.stderr
    assert "TMPDIR" in refused.stderr
    assert "Traceback" not in refused.stderr
    drawn = in_container(session.folder, "inspect-dataset", "data", "--no-near-duplicates", "--out", "out/drawn")
    assert (drawn.code, "No folder for temporary files" in drawn.stderr) == (6, True)  # matplotlib's, for its fonts
    mended = in_container(session.folder, "benchmark", ONNX, "--seconds", "0.1", TMPDIR=str(session.folder / "out"))
    assert mended.code == 0, mended.stderr


def test_the_data_are_as_they_were(session, data):
    before, after = contents(data), contents(session.folder / "data")
    assert {path: digest for path, (digest, _) in after.items()} == {
        path: digest for path, (digest, _) in before.items()
    }
    assert after == before  # copies keep their times


def test_no_temporary_file_is_left(session):
    assert list((session.folder / "cache" / "tmp").iterdir()) == []


@pytest.mark.long
def test_trackers_and_verify_resume_write_nowhere_else_and_connect_to_nothing(data, weights):
    """wandb, offline, and its service talk through sockets of this machine; urllib3 looks whether there is IPv6."""
    with reachable() as folder:
        session = watch_session(folder, data, weights, LONG)
        assert session.codes == (0, 0), session.stderr
        looks = ("socket", "socket.__new__", "bind", "socket.bind")
        told = session.elsewhere(tuple(event for event in session.audited if event.call not in looks))
        assert told == []
        if session.traced is not None:
            assert session.elsewhere(tuple(event for event in session.traced if event.call not in looks)) == []


def test_the_hubs_client_tells_nothing_of_this_machine():
    """ONNX Runtime's telemetry is looked at in tests/models/test_onnx.py."""
    program = "import clf_cli, huggingface_hub.utils as u; print(u.build_hf_headers(token=False)['user-agent'])"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    told = done.stdout
    assert told.startswith("unknown/None; hf_hub/")
    assert "torch" not in told
