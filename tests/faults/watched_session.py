"""Every command once, in one process that is watched by Python's audit events and by strace, in a container's place."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.running import TINY_ARCH, Finished

ROOT = Path(__file__).parents[2]
WATCH = Path(__file__).parent / "watch"
BLOCKED = 97  # the exit code where a namespace may not be made
WRITABLE = ("out", "cache", "watch")
SMALL = ("--arch", TINY_ARCH, "--image-size", "32", "--batch-size", "8")
SMALL += ("--device", "cpu", "--threads", "1", "--workers", "1")
RUN, ONNX = "out/run", "out/run/export/model.onnx"
Commands = tuple[tuple[str, ...], ...]
COMMANDS: Commands = (  # in this order; the first trains from published weights that are there
    ("train", "--data", "data", "--out", "out", "--name", "run", "--epochs", "2", "--pictures", "every", *SMALL),
    ("runs", "out"),
    ("history", RUN),
    ("report", RUN),
    ("average", RUN, "-o", "out/average.ckpt", "--data", "data"),
    ("evaluate", RUN),
    ("evaluate", ONNX, "--data", "data", "--split", "test"),
    ("confusion", RUN),
    ("samples", RUN),
    ("samples", "--augmented", "--data", "data", "--out", "out/augmented"),
    ("compare", RUN, ONNX, "--out", "out/compare"),
    ("calibrate", RUN, "-o", "out/calibrated.onnx"),
    ("export", RUN, "-o", "out/again/model.onnx"),
    ("validate-onnx", RUN),
    ("benchmark", ONNX, "--seconds", "0.1", "--out", "out/benchmark"),
    ("predict", RUN, "-r", "data/val"),
    ("predict", ONNX, "-r", "data/val"),
    ("inspect-dataset", "data", "--out", "out/dataset", "--html", "out/dataset.html", "--model", RUN),
    ("split", "data", "-o", "out/split.jsonl"),
    ("dedupe", "data", "-o", "out/dedupe.jsonl"),
    ("clean", "data", "-o", "out/clean.jsonl"),
    ("sampler", "--data", "data", "--out", "out/sampler"),
    ("synth", "--out", "out/synth", "--images", "60", "--classes", "3"),
    ("model-info", TINY_ARCH),
    ("model-info", ONNX),
    ("models", "resnet18*"),
    ("config", "show"),
    ("config", "schema"),
    ("doctor",),
    ("demo", "--out", "out/demo"),
)

LONG: Commands = (  # trackers, and what trains in processes of its own
    ("train", "--data", "data", "--out", "out", "--epochs", "1", "--tracker", "tensorboard,wandb,mlflow", *SMALL),
    ("verify-resume", "--data", "data", *SMALL),
)

# The demo's recipe takes a minute; CI runs it whole, from the wheel. Here it is the same with fewer images and epochs.
SESSION = """
import contextlib, json, os, socket, subprocess, sys
from dataclasses import replace

from clf_cli.__main__ import main


def shorten_demo():
    from clf_cli.training import demo

    def short(out, asked, whole=demo.demo_settings):
        resolved = whole(out, asked)
        synth = resolved.settings.synth.model_copy(update={"images": 120, "classes": 3})
        optim = resolved.settings.optim.model_copy(update={"epochs": 1})
        return replace(resolved, settings=resolved.settings.model_copy(update={"synth": synth, "optim": optim}))

    demo.demo_settings = short


for attempt in (lambda: open("control/python", "w").close(), lambda: subprocess.run(["sh", "-c", "> control/shell"])):
    with contextlib.suppress(OSError):
        attempt()
with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as none:
    none.connect(("192.0.2.1", 9))  # of no machine; nothing is sent
for number, command in enumerate(json.loads(sys.argv[1])):
    os.mkdir(f"watch/{number}")  # the mark from which on events are this command's
    sys.stderr.write(f"$ clf {' '.join(command)}\\n")
    if command[0] == "demo":
        shorten_demo()
    with open("watch/stdout", "w") as told, contextlib.redirect_stdout(told):
        code = main(command)
    with open("watch/codes", "a") as codes:
        codes.write(f"{code}\\n")
"""

# Every file system read-only but the three folders, those of the kernel, and shared memory, which data workers need.
READ_ONLY = f"""
mount --make-rprivate / || exit {BLOCKED}
for folder in {" ".join(WRITABLE)}; do mount --bind $folder $folder || exit {BLOCKED}; done
while read -r _ place _; do
  case "$place" in /proc*|/sys*|/dev|/dev/*|*/out|*/cache|*/watch) continue;; esac
  mount -o remount,bind,ro "$place" || [ "$place" != / ] || exit {BLOCKED}
done < /proc/self/mounts
exec "$@"
"""
# A user of no name and no home who may read everything, as in containers that are started under some number.
NOBODY = ("setpriv", "--reuid=12345", "--regid=12345", "--clear-groups")
NOBODY += ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")


@dataclass(frozen=True)
class Event:
    """What a command did, or tried: the call, and the path or address."""

    command: str
    call: str
    what: str

    def __str__(self) -> str:
        return f"clf {self.command}: {self.call} {self.what}"


@dataclass(frozen=True)
class Watched:
    """A session that has ended. `is_read_only`: all but three folders was; `traced` is None without strace."""

    folder: Path
    codes: tuple[int, ...]
    stderr: str
    is_read_only: bool
    audited: tuple[Event, ...]
    traced: tuple[Event, ...] | None

    def elsewhere(self, events: tuple[Event, ...]) -> list[str]:
        """Those of commands that are neither in a folder of ours nor a matter of the kernel or of Python's own."""
        return sorted({str(event) for event in events if event.command != CONTROL and not self._is_ours(event.what)})

    def _is_ours(self, what: str) -> bool:
        path = os.path.normpath(what)
        ours = any(Path(path).is_relative_to(self.folder / name) for name in WRITABLE)
        return ours or path.startswith(("/dev/shm/", "/proc/self/")) or path in _DEVICES or is_bytecode(path)


CONTROL = "control"
_DEVICES = ("/dev/null", "/dev/tty", "/dev/shm")


def is_bytecode(path: str) -> bool:
    """What Python itself keeps beside the program, or in PYTHONPYCACHEPREFIX; it does without where it cannot."""
    prefix = sys.pycache_prefix
    return "/__pycache__" in path or (prefix is not None and Path(path).is_relative_to(prefix))


def can_be_read_only(folder: Path) -> bool:
    """Whether this machine lets us make namespaces for mounts and networks, and use them as nobody."""
    for name in WRITABLE:
        (folder / name).mkdir(parents=True)
        (folder / name).chmod(0o777)
    done = subprocess.run([*_read_only(), "touch", "out/here"], cwd=folder, capture_output=True, check=False)
    refused = subprocess.run([*_read_only(), "touch", "there"], cwd=folder, capture_output=True, check=False)
    return done.returncode == 0 and refused.returncode != 0  # the limit bites


def can_trace() -> bool:
    """Whether strace is here and may watch a process."""
    command = [*_STRACE, "-e", "trace=none", "true"]
    return (
        shutil.which("strace") is not None and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )


_STRACE = ("strace", "-f", "--seccomp-bpf", "-qq", "-y", "-s", "4096")
_CALLS = (
    "openat,open,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,rmdir,link,linkat,symlink,symlinkat,"
)
_CALLS += "truncate,chmod,fchmodat,chown,lchown,fchownat,utimensat,mknod,mknodat,setxattr,socket,connect,bind,sendto"


def _read_only() -> list[str]:
    as_nobody = NOBODY if os.geteuid() == 0 else ()
    unshare = ["unshare", "--net", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    return [*unshare, "sh", "-c", READ_ONLY, "sh", *as_nobody]


def watch_session(folder: Path, data: Path, hub: Path, commands: Commands = COMMANDS) -> Watched:
    """Runs the commands in `folder`, with published weights in the cache `hub`. Takes half a minute."""
    is_read_only = shutil.which("unshare") is not None and can_be_read_only(folder / "probe")
    for name in (*WRITABLE, "control", "cache/tmp"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
    shutil.copytree(data, folder / "data")
    shutil.copytree(hub, folder / "hub")
    traced = [*_STRACE, "-o", str(folder / "trace"), "-e", f"trace={_CALLS}"] if can_trace() else []
    program = [sys.executable, "-W", "error", "-c", SESSION, json.dumps(commands)]
    command = [*traced, *(_read_only() if is_read_only else ()), *program]
    done = subprocess.run(
        command,
        cwd=folder,
        env=_environment(folder, is_read_only),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    codes = (folder / "watch" / "codes").read_text().split() if (folder / "watch" / "codes").exists() else ()
    return Watched(
        folder=folder,
        codes=tuple(map(int, codes)),
        stderr=done.stderr,
        is_read_only=is_read_only,
        audited=tuple(_audited(folder, commands)),
        traced=tuple(_traced(folder, commands)) if traced else None,
    )


def in_container(folder: Path, *arguments: str, **environment: str) -> Finished:
    """One command in the folder of a session, where `can_be_read_only`; without a home, or a cache of ours."""
    left_out = ("WATCH_LOG", "CLF_CACHE_DIR", "HOME")
    variables = {name: value for name, value in _environment(folder, True).items() if name not in left_out}
    command = [*_read_only(), sys.executable, "-W", "error", "-m", "clf_cli", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=variables | environment, capture_output=True, text=True, timeout=120, check=False
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def _environment(folder: Path, is_read_only: bool) -> dict[str, str]:
    """No home, no place for temporary files where none can be written, and no caches but ours."""
    foreign = ("XDG_", "HF_", "ORT_", "TMP", "TEMP", "MPL", "TORCH", "TRITON", "CUDA_CACHE", "WANDB", "MLFLOW", "CLF_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {
        **kept,
        **({} if is_read_only else {"TMPDIR": str(folder / "cache" / "tmp")}),
        "HOME": "/nonexistent",
        "CLF_CACHE_DIR": str(folder / "cache"),
        "CLF_TRAIN__OUT": "out",  # clf doctor looks at it
        "HF_HOME": str(folder / "hub"),
        "PYTHONPATH": os.pathsep.join([str(WATCH), str(ROOT)]),
        "WATCH_LOG": str(folder / "watch" / "log"),
    }


def _audited(folder: Path, commands: Commands) -> Iterator[Event]:
    of = CONTROL
    for line in (folder / "watch" / "log").read_text(encoding="utf-8").splitlines():
        call, what = json.loads(line)
        of = _command_at(call, what, folder, commands) or of
        yield Event(of, call, what)


def _command_at(call: str, what: str, folder: Path, commands: Commands) -> str | None:
    """The command that begins here: the session makes a folder with its number."""
    path = Path(what)
    is_mark = call.endswith("mkdir") and path.parent == folder / "watch" and path.name.isdecimal()
    return " ".join(commands[int(path.name)][:2]) if is_mark else None


_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")
_CALL = re.compile(r"^(\d+) +(\w+)\((.*)\) += +(-?\d+)(?:<[^>]*>)?(?: (E\w+))?")
_PATH = re.compile(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"')
_FLAGS = re.compile(r"O_(WRONLY|RDWR|CREAT|TRUNC|APPEND)")
_LAST_PATH_ONLY = ("link", "linkat", "symlink", "symlinkat")
_FRUITLESS = (
    "ENOENT",
    "EEXIST",
    "ENOTDIR",
    "EISDIR",
)  # of a path that is not there, or there already: nothing was denied


def _traced(folder: Path, commands: Commands) -> Iterator[Event]:
    of = CONTROL
    for process, call, arguments, error in _calls((folder / "trace").read_text("utf-8", "replace").splitlines()):
        del process
        if call in ("socket", "connect", "bind", "sendto"):
            if "AF_INET" in arguments:
                yield Event(of, call, arguments)
            continue
        if error in _FRUITLESS or (call in ("open", "openat") and not _FLAGS.search(arguments)):
            continue
        paths = [str(Path(found[1] or folder, _plain(found[2]))) for found in _PATH.finditer(arguments)]
        for path in paths[-1:] if call in _LAST_PATH_ONLY else paths:
            of = _command_at(call, path, folder, commands) or of
            yield Event(of, call, path)


def _calls(lines: list[str]) -> Iterator[tuple[str, str, str, str | None]]:
    """Process, call, arguments and error of each line; calls that strace tells in two lines are put together."""
    begun: dict[str, str] = {}
    for line in lines:
        whole = line
        if line.endswith("<unfinished ...>"):
            begun[line.split(" ", 1)[0]] = line.removesuffix("<unfinished ...>").rstrip()
            continue
        if resumed := _RESUMED.match(line):
            whole = begun.pop(resumed[1], "") + resumed[3]
        if call := _CALL.match(whole):
            yield call[1], call[2], call[3], call[5]


def _plain(escaped: str) -> str:
    return escaped.encode("latin-1", "replace").decode("unicode_escape")
