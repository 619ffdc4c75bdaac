"""A real browser for tests: Debian's chromium, headless, driven over two pipes, so that no socket is opened."""

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    *("--disable-extensions", "--disable-default-apps", "--remote-debugging-pipe"),
)
# the browser takes its ends of the pipes as files 3 and 4
START = """
import fcntl, os, sys
for number, end in [(n, fcntl.fcntl(int(name), fcntl.F_DUPFD, 10)) for n, name in zip((3, 4), sys.argv[1:3])]:
    os.dup2(end, number)
os.execv(sys.argv[3], sys.argv[3:])
"""
QUIT_AFTER = 30.0  # seconds
ORIGIN = "http://clf.test"  # of files that a test serves; the name leads nowhere
MEDIA_TYPES = {".html": "text/html", ".mjs": "text/javascript", ".wasm": "application/wasm"}


@dataclass
class Browser:
    """One tab. `requests` are the addresses that it asked for, `complaints` what it wrote to its console."""

    commands: IO[bytes]
    answers: IO[bytes]
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    session: str | None = None
    served: dict[str, Path] = field(default_factory=dict)
    _last: int = 0
    _events: list[str] = field(default_factory=list)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Sends a command of the DevTools protocol and waits for its answer."""
        number = self._send(method, parameters)
        while True:
            answer = self._read()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    def serve(self, folders: dict[str, Path]) -> None:
        """Answers ORIGIN/name/... with the files below that folder, over the pipe."""
        self.served = folders
        self.call("Fetch.enable", patterns=[{"urlPattern": f"{ORIGIN}/*"}])

    def open(self, page: Path | str, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
        """Loads a file or an address, in a window of that size and colour scheme, to the end."""
        self.requests.clear()
        self.complaints.clear()
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self._events.clear()
        self.call("Page.navigate", url=page.resolve().as_uri() if isinstance(page, Path) else page)
        while "Page.loadEventFired" not in self._events:
            self._read()

    def value(self, script: str) -> Any:
        """What an expression gives in the page, as JSON; a promise is waited for."""
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True, userGesture=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def move(self, x: float, y: float) -> None:
        """The mouse, in pixels of the window."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, x: float, y: float) -> None:
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key)

    def picture(self, whole: bool = True) -> bytes:
        """A PNG of the whole page, or of the window."""
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"])

    def _send(self, method: str, parameters: dict[str, Any]) -> int:
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        self.commands.write(json.dumps(message).encode() + b"\0")
        self.commands.flush()
        return self._last

    def _answer(self, request: str, address: str) -> None:
        _, name, *parts = urlsplit(address).path.split("/")
        file = self.served.get(name, Path("nowhere")).joinpath(*parts)
        if not file.is_file():
            self._send("Fetch.fulfillRequest", {"requestId": request, "responseCode": 404})
            return
        kind = MEDIA_TYPES.get(file.suffix, "application/octet-stream")
        answer = {
            "requestId": request,
            "responseCode": 200,
            "responseHeaders": [{"name": "Content-Type", "value": kind}],
            "body": base64.b64encode(file.read_bytes()).decode(),
        }
        self._send("Fetch.fulfillRequest", answer)

    def _read(self) -> dict[str, Any]:
        data = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            assert byte, "the browser is gone"
            data += byte
        message: dict[str, Any] = json.loads(data)
        method, about = message.get("method", ""), message.get("params", {})
        self._events.append(method)
        if method == "Network.requestWillBeSent":
            address = about["request"]["url"]
            self.requests += [] if address.startswith("data:") else [address]
        elif method == "Fetch.requestPaused":
            self._answer(about["requestId"], about["request"]["url"])
        elif method == "Log.entryAdded":
            self.complaints.append(about["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(about["exceptionDetails"]))
        return message


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser with an empty profile, ended afterwards."""
    assert CHROMIUM is not None
    (its_commands, our_commands), (our_answers, its_answers) = os.pipe(), os.pipe()
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", START, str(its_commands), str(its_answers)),
            *(CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank"),
        ],
        pass_fds=(its_commands, its_answers),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(its_commands)
    os.close(its_answers)
    try:
        with os.fdopen(our_commands, "wb") as commands, os.fdopen(our_answers, "rb") as answers:
            tab = Browser(commands, answers)
            target = tab.call("Target.createTarget", url="about:blank")["targetId"]
            tab.session = tab.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Network", "Log"):
                tab.call(f"{domain}.enable")
            yield tab
            tab.session = None
            tab.call("Browser.close")
    finally:
        try:
            process.wait(QUIT_AFTER)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
