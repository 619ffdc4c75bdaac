"""How much memory a process may still take: what the machine has left, and the limits that hold for it."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

MARGIN = 128 * 2**20  # bytes left to batches on their way and to the libraries' own
MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")


def memory_left(meminfo: Path = MEMINFO, cgroup: Path = CGROUP, own: Path = OWN_CGROUP) -> int | None:
    """Bytes of main memory that are free for this process, or None where nothing says so (not Linux).

    The least of what the machine has, and of what the limit of a container leaves (cgroup 2, or 1). The addresses that
    RLIMIT_AS allows are another matter: `addresses_left`.
    """
    known = [amount for amount in (_machine(meminfo), _container(cgroup, own)) if amount is not None]
    return min(known, default=None)


def addresses_used() -> int:
    """Bytes of addresses that this process has mapped; 0 where nothing says so."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


def limit_addresses(room: int | None, taken: int) -> None:
    """Lets this process map `room` more bytes, or what RLIMIT_AS leaves it, less the `taken` ones: beyond that every
    allocation fails at once, while memory that the kernel has promised and does not have ends in a kill."""
    if sys.platform == "win32":
        return
    import resource  # not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    allowed = [] if soft == resource.RLIM_INFINITY else [soft]
    if room is not None:
        allowed.append(addresses_used() + room)
    if allowed:
        resource.setrlimit(resource.RLIMIT_AS, (max(addresses_used(), min(allowed) - taken), hard))


def _machine(meminfo: Path) -> int | None:
    return _number(meminfo, lambda text: _told("MemAvailable:", text) * 1024)


def _container(cgroup: Path, own: Path) -> int | None:
    """The least that a limit leaves of those of this process's groups. Pages of files can be given back, so they do not
    count as used where they are told."""
    left = []
    for folder, limit, used, files in _groups(cgroup, own):
        most, now = (_number(folder / name, int) for name in (limit, used))
        if most is not None and now is not None:
            left.append(max(0, most - now + (_number(folder / "memory.stat", partial(_told, files)) or 0)))
    return min(left, default=None)


def _groups(cgroup: Path, own: Path) -> Iterator[tuple[Path, str, str, str]]:
    """Folder, and names of the limit, of what is used and of pages of files: the root, which in a container is its own
    group, and the group that this process is in, each of version 2 and 1."""
    paths = {"": "", "memory": ""}
    with contextlib.suppress(OSError, ValueError):
        for line in own.read_text(encoding="ascii").splitlines():
            _, controllers, path = line.split(":", 2)
            paths |= dict.fromkeys(paths.keys() & controllers.split(","), path.lstrip("/"))
    for path in {"", paths[""]}:
        yield cgroup / path, "memory.max", "memory.current", "inactive_file "
    for path in {"", paths["memory"]}:
        yield cgroup / "memory" / path, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "


def _told(key: str, text: str) -> int:
    return int(text.split(key)[1].split(maxsplit=1)[0])


def _number(path: Path, parse: Callable[[str], int]) -> int | None:
    """What `parse` finds in a file; None where it is not there, or says `max`."""
    try:
        return parse(path.read_text(encoding="ascii"))
    except (OSError, ValueError, IndexError):
        return None
