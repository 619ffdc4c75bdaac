"""Trains on a small disk of its own that is too small, fills up, or turns read-only; run inside `unshare --mount`.

    unshare --mount python -m tests.faults.full_disk DATA DISK

DISK is an empty folder, over which a tmpfs is mounted that only this process sees. One process does it all, since
importing torch takes seconds. Prints one JSON object: a case each, with exit code, what was said, and what was there.
"""

import errno
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from clf_cli.__main__ import main
from clf_cli.errors import ModelError
from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.values.run_dir import RunDir
from tests.running import train_arguments

BARE = ("--no-export", "--no-samples", "--no-history", "--no-confusion", "--pictures", "last")
hook: list[Callable[[], bool]] = []  # called with each file that is opened until it returns True


def hear(event: str, _: object) -> None:
    if event == "open" and hook:
        act = hook.pop()
        if not act():
            hook.append(act)


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def fill(disk: Path) -> str:
    """Writes until the disk is full and returns how the system says so."""
    try:
        with (disk / "ballast").open("ab", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError as error:
        return errno.errorcode[error.errno or 0]


@contextmanager
def once(is_time: Callable[[], bool], act: Callable[[], None]) -> Iterator[None]:
    """Calls `act` with the first file that is opened once it is time."""

    def when() -> bool:
        if not is_time():
            return False
        act()
        return True

    hook.append(when)
    try:
        yield
    finally:
        hook.clear()


def clf(run: RunDir, *arguments: str) -> dict[str, Any]:
    out, said = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(said):
        code = main(list(arguments))
    epochs = {}
    for path in (run.last, run.previous):
        try:
            epochs[path.name] = read_checkpoint(path).epoch
        except ModelError:
            epochs[path.name] = 0
    return {"code": code, "said": said.getvalue(), "epochs": epochs, "there": run.root.exists()}


def cases(data: Path, disk: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    run = RunDir(disk / "runs" / "run")
    train = [*train_arguments(data, run.root.parent, "run", *BARE)]
    mount("-t", "tmpfs", "-o", "size=5m", "tmpfs", str(disk))
    yield "too small", clf(run, *train)
    mount("-o", "remount,size=30m", str(disk))
    bites: list[str] = []
    with once(run.last.exists, lambda: bites.append(fill(disk))):
        yield "fills up", clf(run, *train, "--epochs", "3") | {"bites": bites}
    (disk / "ballast").unlink()
    yield "has room again", clf(run, "train", "--resume", str(run.root))
    before = run.last.stat().st_mtime_ns

    def turn() -> None:
        mount("--bind", str(disk), str(disk))  # the log is open, so the file system itself is busy
        mount("-o", "remount,bind,ro", str(disk))
        try:
            (disk / "probe").write_bytes(b"")
        except OSError as error:
            bites.append(errno.errorcode[error.errno or 0])

    with once(lambda: run.last.stat().st_mtime_ns != before, turn):
        yield "turns read-only", clf(run, "train", "--resume", str(run.root), "--epochs", "6") | {"bites": bites[1:]}
    yield "is read-only", clf(run, "train", "--resume", str(run.root))
    subprocess.run(["umount", "--lazy", str(disk)], check=True)
    yield "is writable again", clf(run, "train", "--resume", str(run.root))


if __name__ == "__main__":
    sys.addaudithook(hear)
    print(json.dumps(dict(cases(Path(sys.argv[1]), Path(sys.argv[2])))))
