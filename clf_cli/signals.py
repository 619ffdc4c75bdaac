"""SIGINT, SIGTERM and SIGHUP: the first one stops the work in order, a second one at once."""

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

NUMBERS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
GRACE = 25.0  # seconds that the work has to end: Kubernetes and Slurm kill after 30
REPEAT = 0.5  # seconds: timeout(1) sends its signal twice, and kernel and shell both tell that a terminal is gone
_IMPORTER = "<frozen importlib._bootstrap>"
_LAST_WORDS = 2.0  # seconds that they may take
_SHOW_CURSOR = b"\x1b[?25h"  # which a live bar hides


class Stop(BaseException):
    """Raised in the main thread, wherever it is. No Exception, since libraries catch those; and no KeyboardInterrupt,
    which Lightning 2.6.6 turns into status 1 and Typer into a word of its own."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def exit_code(self) -> int:
        return 128 + self.number


@dataclass
class _State:
    """Of this process: signals have no other owner."""

    received: int | None = None  # the first signal
    first: int | None = None  # the same, known also while the main thread is in native code
    at: float = 0.0  # when it came
    deadline: float | None = None
    takes_time: bool = False  # what is written now ends the work well
    deferred: int = 0  # how many parts of the program want no Stop now
    lost: bool = False  # Stop was raised where Python only reports exceptions, or could not be: it is raised once more
    resent: int = 0  # signals from this process itself, which are no second ones
    announce: Callable[[], object] | None = None
    last_words: Callable[[], str] | None = None
    terminals: tuple[int, ...] = ()
    reports: Callable[["sys.UnraisableHookArgs"], object] = sys.__unraisablehook__
    before: dict[int, Any] = field(default_factory=dict)  # what handled the signals that are handled here now


_state = _State()


@contextlib.contextmanager
def listening(stays: bool = False) -> Iterator[None]:
    """Stop is raised in this block on the first signal; 25 s after it, or on a second one, the process ends whatever it
    does. A signal that was ignored before (nohup) stays ignored. Nothing happens off the main thread.

    With `stays` a process that was stopped is listened to until its end, which may hang in threads and children.
    """
    if threading.current_thread() is not threading.main_thread() or _state.before:
        yield
        return
    _start()
    try:
        yield
    finally:
        if not (stays and _state.received is not None):
            _end()


def received() -> int | None:
    """The number of the first signal, once one came."""
    return _state.received


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """A signal waits until this block is over: for renames that belong together."""
    defer()
    try:
        yield
    finally:
        release()
    stop_now()


def stop_now() -> None:
    """Raises the Stop that an import, or the end of a deferral, put off."""
    if _state.received is not None and not _state.deferred:
        _state.lost = False
        raise Stop(_state.received)


def defer(announce: Callable[[], object] | None = None) -> None:
    """From now on a signal is only remembered (`received`); `announce` is called in another thread when it comes.

    Takes the handlers back from a library that put its own there: Lightning 2.6.6 ends with status 0 on SIGTERM.
    """
    _state.deferred += 1
    _state.announce = announce or _state.announce
    for number in _state.before:
        if signal.getsignal(number) is not _handle:
            signal.signal(number, _handle)


def release() -> None:
    """The end of `defer`. What was remembered is for the caller to act on."""
    _state.deferred = max(0, _state.deferred - 1)
    if not _state.deferred:
        _state.announce = None


def take_time() -> None:
    """From here to the end only a second signal cuts short: what is written now ends the work well."""
    _state.takes_time, _state.deadline = True, None


def before_leaving(last_words: Callable[[], str] | None) -> None:
    """What is done and said when the process ends at once; it has two seconds, in another thread."""
    _state.last_words = last_words


def _start() -> None:
    vars(_state).update(vars(_State()))
    _state.terminals = tuple(number for number in (1, 2) if _is_terminal(number))
    for number in NUMBERS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            _state.before[number] = signal.signal(number, _handle)
    _state.reports, sys.unraisablehook = sys.unraisablehook, _unraisable
    if sys.platform != "win32":  # a pipe cannot be waited for there
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        _pipe[:] = [writer, signal.set_wakeup_fd(writer, warn_on_full_buffer=False)]
        threading.Thread(target=_watch, args=(reader,), name="signals", daemon=True).start()


def _end() -> None:
    if _pipe:
        signal.set_wakeup_fd(_pipe.pop())
        os.close(_pipe.pop())
    for number, handler in _state.before.items():
        signal.signal(number, signal.SIG_DFL if handler is None else handler)
    _state.before = {}
    sys.unraisablehook = _state.reports


_pipe: list[int] = []  # where Python's C handler writes the numbers, also while the main thread is in native code


def _handle(number: int, frame: FrameType | None) -> None:
    if _state.received is None:
        _state.received = number
        _let_go_of_terminals(number)
        _stop(number, frame)
    elif _state.lost:
        _state.lost = False
        _stop(number, frame)
    elif sys.platform == "win32":
        _leave("Stopped at once.")


def _stop(number: int, frame: FrameType | None) -> None:
    if not _state.deferred:
        if not _imports(frame):
            raise Stop(number)
        _raise_later(number)


def _imports(frame: FrameType | None) -> bool:
    """Whether a module is being imported: what is raised in one of C++ may end the process with std::terminate."""
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTER:
            return True
        frame = frame.f_back
    return False


def _raise_later(number: int) -> None:
    _state.lost = True
    threading.Thread(target=_send_again, args=(number,), daemon=True).start()


def _unraisable(report: "sys.UnraisableHookArgs") -> None:
    """A Stop in a finaliser, or in what the garbage collector calls, ends there: the work would go on."""
    if isinstance(report.exc_value, Stop):
        _raise_later(report.exc_value.number)
    else:
        _state.reports(report)


def _send_again(number: int) -> None:
    time.sleep(0.02)
    _state.resent += 1
    os.kill(os.getpid(), number)


def _watch(reader: int) -> None:
    """The thread that ends the process where the main one cannot, or must not wait."""
    while True:
        deadline = _state.deadline
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if select.select([reader], [], [], left)[0]:
            if not (numbers := os.read(reader, 256)):
                os.close(reader)
                return
            for number in numbers:
                if _state.resent:
                    _state.resent -= 1
                elif number in _state.before:
                    _arrived(number)
        elif not _state.takes_time:
            _leave(f"It did not stop within {GRACE:g} s, and was ended.")


def _arrived(number: int) -> None:
    now = time.monotonic()
    if _state.first is None:
        _state.first = number
        _state.at, _state.deadline = now, None if _state.takes_time else now + GRACE
        _let_go_of_terminals(number)
        if _state.announce is not None:
            _beside(_state.announce)
    elif number in (signal.SIGINT, signal.SIGTERM) and now - _state.at > REPEAT:
        _leave("Stopped at once.")


def _leave(reason: str) -> None:
    words, said = _state.last_words, [reason]
    if words is not None:
        _beside(lambda: said.append(words()), _LAST_WORDS)

    def tell() -> None:
        if _is_terminal(2):
            os.write(2, _SHOW_CURSOR)
        os.write(2, "\n".join(["", *said, ""]).encode("utf-8", "backslashreplace"))

    _beside(tell, _LAST_WORDS)
    os._exit(128 + (_state.first or _state.received or signal.SIGTERM))


def _beside(act: Callable[[], object], seconds: float = 0.0) -> None:
    """Waits no longer than that: a line into a pipe that nobody reads, or to a console that another thread has, waits
    for ever. What fails must not cost the checkpoint."""

    def quietly() -> None:
        with contextlib.suppress(Exception):
            act()

    with contextlib.suppress(RuntimeError):  # no more threads
        thread = threading.Thread(target=quietly, daemon=True)
        thread.start()
        thread.join(seconds)


def _let_go_of_terminals(number: int) -> None:
    """Writing to a terminal that is gone is an error; after SIGHUP it goes nowhere instead."""
    if number in (signal.SIGINT, signal.SIGTERM):
        return
    for terminal in _state.terminals:
        if not _is_terminal(terminal):
            os.dup2(os.open(os.devnull, os.O_WRONLY), terminal)


def _is_terminal(number: int) -> bool:
    try:
        return os.isatty(number)
    except OSError:
        return False


def _after_fork() -> None:
    """A child must not tell its parent of signals of its own."""
    if _state.before:
        signal.set_wakeup_fd(-1)
        for number in _state.before:
            signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.SIG_IGN)
        _state.before, _state.deferred = {}, 0


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_after_fork)
