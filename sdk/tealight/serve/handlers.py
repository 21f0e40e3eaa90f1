# SPDX-License-Identifier: Apache-2.0
"""What each request gets, and which requests get nothing.

    GET  /                          the page
    GET  /api/models                what is served, and on which devices
    POST /api/run                   queues a run (upload.py gives the form of the body)
    GET  /api/jobs/ID               its state, and its result when it is over
    POST /api/jobs/ID/cancel        ends it
    GET  /api/jobs/ID/outputs.npz   its outputs

A request must name this machine in Host (else a foreign site whose name was rebound to the loopback could read along),
must not come from another site (Origin, Sec-Fetch-Site), and below /api must carry the token that only the page knows.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import time
import urllib.parse
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tealight.errors import TealightError
from tealight.report.results import finite
from tealight.serve import jobs, upload, views

if TYPE_CHECKING:
    from tealight.serve.server import Server

_LOCAL = {"127.0.0.1", "localhost", "::1"}
_SLICE = 65536
_BODY_SECONDS, _LINGER_SECONDS = 60, 2


class Refusal(Exception):  # noqa: N818 (an answer, not a fault)
    """A request that gets an error as its answer."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers one request; the connection is closed behind it."""

    server: Server
    server_version, sys_version = "tealight", ""
    timeout = 20  # seconds without a byte

    def do_GET(self) -> None:
        """Answers GET."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Answers POST."""
        self._answer(self._post)

    # ---- who may ask ----

    def _answer(self, route: Any) -> None:
        self._unread = 0
        try:
            self._check_origin()
            route(urllib.parse.urlsplit(self.path).path)
        except Refusal as e:
            self._refuse(e)
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _check_origin(self) -> None:
        host = self.headers.get("Host", "")
        if _name(host) not in _LOCAL:
            raise Refusal(HTTPStatus.FORBIDDEN, f"host {host!r}: not this machine, expected {self.server.url}")
        origin = self.headers.get("Origin")
        if origin is not None and origin.lower() != f"http://{host}".lower():
            raise Refusal(HTTPStatus.FORBIDDEN, f"origin {origin!r}: another site, expected {self.server.url}")
        if self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            raise Refusal(HTTPStatus.FORBIDDEN, f"request: from another site, expected {self.server.url}")

    def _check_token(self) -> None:
        if not self.server.is_token(self.headers.get("X-Tealight-Token", "")):
            raise Refusal(HTTPStatus.FORBIDDEN, "token: missing or of an earlier start; reload the page")

    # ---- routes ----

    def _get(self, path: str) -> None:
        if path == "/":
            self._send(HTTPStatus.OK, self.server.page, "text/html; charset=utf-8", self.server.policy)
            return
        self._check_token()
        parts = path.strip("/").split("/")
        if path == "/api/models":
            self._json({"models": [w.model.describe() for w in self.server.workers], **self.server.limits,
                        "devices": jobs.devices_here()})  # fmt: skip
        elif len(parts) == 3 and parts[:2] == ["api", "jobs"]:
            job = self._job(parts[2])
            self._json({**job.describe(), "ahead": max((w.ahead(job) for w in self.server.workers), default=0)})
        elif len(parts) == 4 and parts[:2] == ["api", "jobs"] and parts[3] == "outputs.npz":
            job = self._job(parts[2])
            if job.state != "done":
                raise Refusal(HTTPStatus.CONFLICT, f"run: {job.state}, expected one that is done")
            self._send(HTTPStatus.OK, views.archive(job.outputs), "application/octet-stream")
        else:
            raise Refusal(HTTPStatus.NOT_FOUND, f"{path!r}: nothing here, expected {self.server.url}")

    def _post(self, path: str) -> None:
        length = self._length()
        self._unread = length
        self._check_token()
        parts = path.strip("/").split("/")
        if path == "/api/run":
            self._json(self._run(self._body(length)), HTTPStatus.ACCEPTED)
        elif len(parts) == 4 and parts[:2] == ["api", "jobs"] and parts[3] == "cancel":
            job = self._job(parts[2])
            job.stop("cancelled")
            self._json(job.describe())
        else:
            raise Refusal(HTTPStatus.NOT_FOUND, f"{path!r}: nothing here, expected {self.server.url}")

    def _run(self, body: bytes) -> dict[str, Any]:
        try:
            request = upload.parse(body)
            known = [d["name"] for d in jobs.devices_here()]
            if not 0 <= request.model < len(self.server.workers) or request.device not in known:
                raise TealightError(f"request: model {request.model} on {request.device!r}, expected what is offered")
        except TealightError as e:
            raise Refusal(HTTPStatus.BAD_REQUEST, str(e)) from e
        job = jobs.Job(request)
        if not self.server.workers[request.model].submit(job):
            raise Refusal(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"queue: {jobs.MAX_WAITING} runs of this model wait already; try again when one is done",
            )
        self.server.results.add(job)
        return job.describe()

    def _job(self, id: str) -> jobs.Job:
        job = self.server.results.get(id)
        if job is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "run: not kept any more (only the last ones are); run it again")
        return job

    # ---- bytes ----

    def _length(self) -> int:
        text = self.headers.get("Content-Length")
        if text is None or not text.isascii() or not text.isdigit() or self.headers.get("Transfer-Encoding"):
            raise Refusal(HTTPStatus.LENGTH_REQUIRED, "request: no Content-Length, expected the size of its body")
        length = int(text) if len(text) < 20 else 1 << 62
        if length > self.server.max_bytes:
            self._unread = length
            megabytes = self.server.max_bytes / 1e6
            raise Refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"upload: {length / 1e6:,.1f} MB, expected at most {megabytes:,.1f} MB; start with --max-upload",
            )
        return length

    def _body(self, length: int) -> bytes:
        body, deadline = bytearray(), time.monotonic() + _BODY_SECONDS
        while self._unread:
            part = self.rfile.read1(min(self._unread, _SLICE))
            if not part or time.monotonic() > deadline:
                raise Refusal(HTTPStatus.REQUEST_TIMEOUT, f"request: {len(body)} bytes, expected {length}")
            body += part
            self._unread -= len(part)
        return bytes(body)

    def _refuse(self, refusal: Refusal) -> None:
        """Answers, then takes in some of what the sender still sends: it would not see the answer otherwise."""
        self._json({"error": str(refusal)}, refusal.status)
        left, deadline = min(self._unread, self.server.max_bytes), time.monotonic() + _LINGER_SECONDS
        if left:
            self.connection.settimeout(_LINGER_SECONDS)
            self.connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            while left > 0 and time.monotonic() < deadline:
                part = self.rfile.read1(min(left, _SLICE))
                if not part:
                    break
                left -= len(part)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answers what the base class refuses, in the same form."""
        status = HTTPStatus(code)
        self._json({"error": f"request: {message or status.phrase}"}, status)

    def _json(self, data: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(status, json.dumps(finite(data), allow_nan=False).encode(), "application/json")

    def _send(self, status: HTTPStatus, body: bytes, kind: str, policy: str = "default-src 'none'") -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store"),
            ("Content-Security-Policy", policy), ("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"), ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ):  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: a polling page would fill the console."""


def _name(host: str) -> str:
    """Returns the name in a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
