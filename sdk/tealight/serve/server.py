# SPDX-License-Identifier: Apache-2.0
"""The server: bound to the loopback interface, with a limit on everything that a caller chooses."""

from __future__ import annotations

import base64
import errno
import hashlib
import hmac
import http.server
import pathlib
import secrets
import socket
import threading
from collections.abc import Sequence
from typing import Any

from tealight.errors import TealightError
from tealight.report.html import PALETTE
from tealight.serve import views
from tealight.serve.handlers import Handler
from tealight.serve.jobs import Model, Results, Worker

_MAX_CONNECTIONS = 64


class Server(http.server.ThreadingHTTPServer):
    """Serves a page for some bundles.

    >>> with Server(["model.tea"]) as server:
    ...     print(server.url)
    ...     server.serve_forever()

    Attributes:
        url: What to open in a browser.
        workers: One for each bundle.
        results: The jobs that can be asked for.
        page: The page, as bytes.
        policy: Its Content-Security-Policy: nothing is loaded from anywhere.
        max_bytes: Of one request.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(
        self,
        bundles: Sequence[str],
        *,
        port: int = 0,
        threads: int = 1,
        timeout: float = 300,
        max_bytes: int = 64_000_000,
        decode: views.Decode | None = None,
    ) -> None:
        """Reads the bundles and binds the port.

        Args:
            bundles: .tea files.
            port: 0 takes a free one.
            threads: Of a run.
            timeout: Seconds after which a run is given up.
            max_bytes: Largest upload.
            decode: From the outputs to {"boxes", "scores", "classes"}, for models whose form is not known.

        Raises:
            TealightError: A bundle is damaged, or the port is taken.
        """
        models = [Model(path) for path in bundles]
        if not models or timeout <= 0 or max_bytes <= 0:
            raise TealightError(f"serve: {len(models)} bundles, timeout {timeout}, max_bytes {max_bytes}, expected > 0")
        self.max_bytes = max_bytes
        self.limits = {"max_bytes": max_bytes}
        self.results = Results()
        self._token = secrets.token_urlsafe(24)
        self._slots = threading.BoundedSemaphore(_MAX_CONNECTIONS)
        self._bind(port)
        self.workers = [Worker(m, threads=threads, timeout=timeout, decode=decode) for m in models]
        host = f"[{self.server_address[0]!s}]" if self.address_family == socket.AF_INET6 else "127.0.0.1"
        self.url = f"http://{host}:{self.server_address[1]}/"
        self.page, self.policy = _page(self._token)

    def _bind(self, port: int) -> None:
        try:
            try:
                super().__init__(("127.0.0.1", port), Handler)
            except OSError as e:
                if e.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                self.address_family = socket.AF_INET6  # a machine without IPv4
                super().__init__(("::1", port), Handler)
        except OSError as e:
            raise TealightError(f"port {port}: {e.strerror}, expected a free one; --port 0 takes any") from e
        except OverflowError as e:
            raise TealightError(f"port {port}: no port, expected 0 to 65535") from e

    def is_token(self, text: str) -> bool:
        """Whether a text is the token of the page."""
        return hmac.compare_digest(text.encode("utf-8", "surrogateescape"), self._token.encode())

    def server_bind(self) -> None:
        """Binds without asking a name server for our own name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Starts a thread for a connection, or drops it where too many are open."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answers, then frees the place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of callers that went away; everything else is a fault of ours."""
        import sys
        import traceback

        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            traceback.print_exc()

    def server_close(self) -> None:
        """Cancels what runs and frees the port."""
        super().server_close()
        for worker in getattr(self, "workers", []):
            worker.close()


def _page(token: str) -> tuple[bytes, str]:
    """Returns the page with its style and script inside, and the policy that allows those alone."""
    folder = pathlib.Path(__file__).parent
    names = ("page.html", "page.css", "drawings.js", "page.js")
    html, css, *scripts = ((folder / name).read_text(encoding="utf-8") for name in names)
    css, js = PALETTE + css, "".join(scripts)
    page = html.replace("/*style*/", css).replace("/*script*/", js).replace("{token}", token)
    style, script = (base64.b64encode(hashlib.sha256(t.encode()).digest()).decode() for t in (css, js))
    policy = (
        f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; img-src data: blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'"
    )
    return page.encode(), policy
