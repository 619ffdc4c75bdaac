"""Python imports this at its start where its folder is on PYTHONPATH: it notes what the process and its children do to
files and sockets, as one JSON line each in the file that WATCH_LOG names. An attempt counts, whatever becomes of it."""

import json
import os
import socket
import sys
from pathlib import Path

CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
PATHS = {  # events of changed files: where in their arguments the paths are, each with its folder's descriptor
    "os.mkdir": ((0, 2),),
    "os.rename": ((0, 2), (1, 3)),
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),),
    "os.chmod": ((0, 2),),
    "os.chown": ((0, 3),),
    "os.utime": ((0, 3),),
    "os.setxattr": ((0, None),),
    "sqlite3.connect": ((0, None),),
}
ADDRESSED = ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg")
NAMES = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")
NETWORK = (socket.AF_INET, socket.AF_INET6)


def _absolute(path, folder=None):
    if isinstance(path, int):
        return None  # an open file: its opening was noted
    start = f"/proc/self/fd/{folder}" if folder is not None and folder >= 0 else "."
    return str(Path(start).resolve() / os.fsdecode(path))


def _noted(event, arguments):
    """Paths and addresses of an event that changes a file or reaches for a network."""
    if event == "open":
        path, _, flags = arguments
        return [_absolute(path)] if flags & CHANGING else []
    if event in PATHS:
        at = PATHS[event]
        return [_absolute(arguments[path], None if folder is None else arguments[folder]) for path, folder in at]
    if event == "socket.__new__":
        return [f"a socket of {arguments[1]!s}"] if arguments[1] in NETWORK else []
    if event in ADDRESSED and arguments[0].family in NETWORK:
        return [str(arguments[1])]
    return [str(arguments[:2])] if event in NAMES else []


def _watch(log):
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)

    def hook(event, arguments):
        if event == "open" or event in PATHS or event.startswith("socket."):
            lines = [json.dumps([event, what]) + "\n" for what in _noted(event, arguments) if what is not None]
            if lines:
                os.write(descriptor, "".join(lines).encode("utf-8", "backslashreplace"))

    sys.addaudithook(hook)


if os.environ.get("WATCH_LOG"):
    _watch(os.environ["WATCH_LOG"])
