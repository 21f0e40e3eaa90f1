# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, driven over the DevTools protocol: just enough of a websocket client for that."""

from __future__ import annotations

import base64
import http.client
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import time
import urllib.parse
from typing import Any

import pytest

_SECONDS = 60


class Browser:
    """A Chromium with one tab; `errors` collects what the page logs as an error or throws."""

    def __init__(self, folder: pathlib.Path) -> None:
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        if program is None:
            pytest.skip("chromium not installed")
        self.errors: list[str] = []
        self._id = 0
        self._socket: socket.socket | None = None
        command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
                   "--no-first-run", "--remote-debugging-port=0", f"--user-data-dir={folder}",
                   "about:blank"]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self._socket = _connect(_tab(folder / "DevToolsActivePort"))
            for domain in ("Page", "Runtime", "Log", "DOM"):
                self.call(f"{domain}.enable")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._process.kill()
        self._process.wait()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Calls a method of the protocol and returns its result."""
        self._id += 1
        _send(self._socket, json.dumps({"id": self._id, "method": method, "params": parameters}).encode())
        while True:
            message = json.loads(_receive(self._socket))
            if message.get("method") == "Runtime.exceptionThrown":
                details = message["params"]["exceptionDetails"]
                self.errors.append(details.get("exception", {}).get("description", details["text"]))
            if message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
                self.errors.append(message["params"]["entry"]["text"])
            if message.get("id") == self._id:
                assert "error" not in message, message["error"]
                return message["result"]

    def look(self, scheme: str, width: int = 1280, height: int = 900) -> None:
        """Sets the colour scheme and the size of the window."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def open(self, url: str) -> None:
        """Opens the page and waits until it is ready."""
        self.call("Page.navigate", url=url)
        self.wait("document.body?.dataset.ready === 'yes'")

    def js(self, text: str) -> Any:
        """Returns the value of an expression (of its promise)."""
        result = self.call("Runtime.evaluate", expression=text, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, condition: str, seconds: float = _SECONDS) -> None:
        """Waits until an expression is true."""
        end = time.monotonic() + seconds
        while not self.js(f"Boolean({condition})"):
            assert time.monotonic() < end, f"{condition}\n{self.js('document.body.innerText')}\n{self.errors}"
            time.sleep(0.05)

    def text(self, selector: str) -> str:
        """Returns the text that a person sees."""
        return self.js(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def drop(self, *files: pathlib.Path | str) -> None:
        """Drops files on the page, as a hand with a mouse does."""
        data = {"items": [], "files": [str(f) for f in files], "dragOperationsMask": 1}
        x, y = self.js("(() => { const r = document.getElementById('drop').getBoundingClientRect();"
                       "return [r.x + r.width / 2, r.y + r.height / 2] })()")  # fmt: skip
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def press(self, key: str, code: str = "", text: str = "") -> None:
        """Presses and releases a key."""
        for kind in ("keyDown", "keyUp"):
            extra = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=code or key, **extra)

    def choose(self, selector: str, value: str) -> None:
        """Chooses an option of a select."""
        self.js(f"(() => {{ const s = document.querySelector({json.dumps(selector)}); s.value = {json.dumps(value)};"
                "s.dispatchEvent(new Event('change')) })()")  # fmt: skip

    def click(self, selector: str) -> None:
        self.js(f"document.querySelector({json.dumps(selector)}).click()")

    def screenshot(self, path: pathlib.Path, whole: bool = True) -> None:
        """Writes a PNG of the page."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))


def _tab(port_file: pathlib.Path) -> str:
    """Returns the address of the tab, once Chromium has said where it listens."""
    end = time.monotonic() + _SECONDS
    while not (port_file.exists() and port_file.read_text().strip()):
        assert time.monotonic() < end, "chromium did not start"
        time.sleep(0.05)
    port = int(port_file.read_text().split()[0])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    connection.request("GET", "/json/list")
    tabs = json.loads(connection.getresponse().read())
    connection.close()
    return next(t["webSocketDebuggerUrl"] for t in tabs if t["type"] == "page")


def _connect(url: str) -> socket.socket:
    parts = urllib.parse.urlsplit(url)
    s = socket.create_connection((parts.hostname, parts.port), timeout=_SECONDS)
    key = base64.b64encode(os.urandom(16)).decode()
    s.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())  # fmt: skip
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += s.recv(1)
    assert head.startswith(b"HTTP/1.1 101"), head
    return s


def _send(s: socket.socket, data: bytes) -> None:
    size = len(data)
    length = bytes([0x80 | size]) if size < 126 else struct.pack("!BH", 0xFE, size) if size < 65536 else (
        struct.pack("!BQ", 0xFF, size)
    )  # fmt: skip
    s.sendall(b"\x81" + length + bytes(4) + data)  # a mask of zeros leaves the text as it is


def _receive(s: socket.socket) -> bytes:
    message = b""
    while True:
        first, second = _exactly(s, 2)
        size = second & 127
        if size > 125:
            (size,) = struct.unpack("!H" if size == 126 else "!Q", _exactly(s, 2 if size == 126 else 8))
        message += _exactly(s, size)
        if first & 0x80:
            return message


def _exactly(s: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = s.recv(min(size - len(data), 1 << 20))
        assert part, "chromium closed the connection"
        data += part
    return bytes(data)
