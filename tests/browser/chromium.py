"""A headless Chromium, driven over its debugging protocol: real clicks, real keys, every request.

Sixty lines instead of a dependency that would download a browser of its own.
"""

import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-extensions", "--remote-debugging-port=0", "about:blank"),
)
KEYS = {"Enter": 13, "Tab": 9, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39, " ": 32}
CONTROL = 2
# where an element is to be clicked; it is scrolled to first, and has to be seen
PLACE = """(() => { const e = %s; if (!e) return null; e.scrollIntoView({block: 'center'});
const r = e.getBoundingClientRect(); if (!r.width || !r.height) return null;
return [r.x + r.width / 2, r.y + r.height / 2]; })()"""
# the last of the smallest elements that hold a text: what is on top comes last
BY_TEXT = """[...document.querySelectorAll('a, button, [role=menuitem], [role=option], .q-item')]
.filter(e => e.textContent.trim().includes(%s) && e.getClientRects().length)
.sort((a, b) => a.textContent.length - b.textContent.length)[0]"""


def program() -> str | None:
    """Where Chromium is; None if it is not installed."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Tab:
    """A page in the browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket, self._numbers = socket, itertools.count(1)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask for something, and wait for the answer."""
        number = next(self._numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv(timeout=60))
            if message.get("id") == number:
                assert "error" not in message, (method, message["error"])
                return message["result"]
            self._hear(message)

    def _hear(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Network.webSocketCreated":
                self.requests.append(params["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(params["exceptionDetails"].get("text", ""))
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                self.complaints.append(params["entry"]["text"])

    def resize(self, width: int, height: int, dark: bool | None = None) -> None:
        """Become a window of a size, of a system that prefers dark or light."""
        size = {"width": width, "height": height}
        self.send("Emulation.setDeviceMetricsOverride", deviceScaleFactor=1, mobile=False, **size)
        if dark is not None:
            wish = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
            self.send("Emulation.setEmulatedMedia", features=[wish])

    def open(self, url: str) -> None:
        """Go to an address, and wait until the page answers clicks."""
        self.send("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")
        if "/login" not in url:
            self.wait("window.did_handshake === true || window.socket?.connected === true")

    def look(self, script: str) -> Any:
        """Evaluate a line of JavaScript."""
        found = self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, (script, found)
        return found["result"].get("value")

    def wait(self, script: str, seconds: float = 20) -> Any:
        """Wait until a line of JavaScript is true; returns what it is."""
        until = time.monotonic() + seconds
        while True:
            with contextlib.suppress(AssertionError):  # the page is just being left
                if value := self.look(script):
                    return value
            assert time.monotonic() < until, f"never true: {script}\n{self.text()}"
            time.sleep(0.1)

    def text(self) -> str:
        """All that can be read."""
        return str(self.look("document.body.innerText"))

    def wait_for(self, text: str, seconds: float = 20) -> None:
        """Wait until a text can be read."""
        self.wait(f"document.body.innerText.includes({json.dumps(text)})", seconds)

    def click(self, selector: str) -> None:
        """Click in the middle of what a selector finds."""
        self._press(f"document.querySelector({json.dumps(selector)})")

    def click_text(self, text: str) -> None:
        """Click on a button, link or choice by its text."""
        self._press(BY_TEXT % json.dumps(text))

    def _press(self, element: str) -> None:
        self.wait(PLACE % element)
        time.sleep(0.15)  # it may still be on its way there
        x, y = self.wait(PLACE % element)
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def drag(self, start: tuple[float, float], end: tuple[float, float], steps: int = 10) -> None:
        """Press the button at a place, move to another in steps, and release it there."""
        (x, y), (to_x, to_y) = start, end
        self._mouse("mousePressed", x, y, clickCount=1)
        for step in range(1, steps + 1):
            share = step / steps
            self._mouse("mouseMoved", x + share * (to_x - x), y + share * (to_y - y), buttons=1)
            time.sleep(0.03)
        self._mouse("mouseReleased", to_x, to_y, clickCount=1)

    def _mouse(self, kind: str, x: float, y: float, **more: int) -> None:
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", **more)

    def type(self, text: str) -> None:
        """Write into what has the focus."""
        self.send("Input.insertText", text=text)

    def fill(self, selector: str, text: str) -> None:
        """Write into a field, instead of what is there."""
        self.click(selector)
        self.look(f"document.querySelector({json.dumps(selector)}).select()")
        self.type(text)

    def choose(self, selector: str, *files: Path) -> None:
        """Choose files in a field for them, as its dialog would."""
        found = self.send("Runtime.evaluate", expression=f"document.querySelector('{selector}')")
        place = found["result"]["objectId"]
        self.send("DOM.setFileInputFiles", objectId=place, files=[str(file) for file in files])

    def download_into(self, folder: Path) -> None:
        """Let downloads go into a folder."""
        where = {"behavior": "allow", "downloadPath": str(folder)}
        self.send("Page.setDownloadBehavior", **where)

    def key(self, name: str, modifiers: int = 0) -> None:
        """Press a key."""
        key = {"key": name, "windowsVirtualKeyCode": KEYS[name], "modifiers": modifiers}
        self.send("Input.dispatchKeyEvent", type="keyDown", **key)
        self.send("Input.dispatchKeyEvent", type="keyUp", **key)

    def picture(self, path: Path, whole: bool = False) -> None:
        """Take a screenshot."""
        taken = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(taken["data"]))


@contextlib.contextmanager
def browser() -> Iterator[Callable[[], Tab]]:
    """Run the browser in a profile of its own; the result opens a tab."""
    found = program()
    assert found is not None
    # chromium of some distributions cannot write below hidden folders
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [found, *FLAGS[:-1], f"--user-data-dir={profile}", FLAGS[-1]],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            port = _port(Path(profile) / "DevToolsActivePort")
            with contextlib.ExitStack() as stack:

                def tab() -> Tab:
                    address = _new_tab(port)
                    return Tab(stack.enter_context(connect(address, max_size=None)))

                yield tab
        finally:
            process.terminate()
            process.wait(timeout=20)


def _port(file: Path) -> int:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int(file.read_text().splitlines()[0])
        time.sleep(0.1)
    raise TimeoutError("chromium did not start")


def _new_tab(port: int) -> str:
    from urllib.request import Request, urlopen

    with urlopen(Request(f"http://127.0.0.1:{port}/json/new", method="PUT"), timeout=20) as answer:
        return str(json.load(answer)["webSocketDebuggerUrl"])
