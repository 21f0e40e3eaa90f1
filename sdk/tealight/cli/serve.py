# SPDX-License-Identifier: Apache-2.0
"""tealight serve: a local page that runs bundles on what is dropped on it."""

from __future__ import annotations

import argparse
import json
import signal
from typing import Any

from tealight.cli import parts
from tealight.errors import TealightError


def arguments(p: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    p.add_argument("bundles", nargs="+", metavar="BUNDLE", help=".tea files")
    p.add_argument("--port", type=int, default=8321, help="of this machine (default: 8321; 0 takes a free one)")
    p.add_argument("--open", action="store_true", help="open the page in a browser")
    p.add_argument("--threads", type=int, default=1, metavar="N", help="of a run (default: 1)")
    p.add_argument("--timeout", type=float, default=300, metavar="SECONDS", help="of a run (default: 300)")
    p.add_argument("--max-upload", type=float, default=64, metavar="MB", help="of one drop (default: 64)")
    p.add_argument(
        "--decode", metavar="MODULE:FUNCTION",
        help="from outputs to boxes, scores and classes, as for eval; common detection models need none",
    )  # fmt: skip


def run(o: argparse.Namespace) -> int:
    """Shows a local web page: drop a picture, a sound or arrays on it and see what the model says."""
    from tealight.data.samples import function
    from tealight.emulator.types import check_threads
    from tealight.serve.server import Server

    decode = None if o.decode is None else function(o.decode)
    if not o.timeout > 0:
        raise TealightError(f"--timeout: {o.timeout:g} s, expected more than 0")
    if not 0 < o.max_upload <= 1000:
        raise TealightError(f"--max-upload: {o.max_upload:g} MB, expected more than 0 and at most 1000")
    with Server(
        o.bundles, port=o.port, threads=check_threads(o.threads), timeout=o.timeout,
        max_bytes=int(o.max_upload * 1e6), decode=decode,
    ) as server:  # fmt: skip
        if o.json:
            print(json.dumps({"url": server.url, "bundles": o.bundles}), flush=True)
        else:
            parts.console().print(f"Open {server.url} in a browser. Ctrl-C ends this.", highlight=False)
        if o.open:
            import webbrowser

            webbrowser.open(server.url)
        _until_interrupted(server)
    return 0


def _until_interrupted(server: Any) -> None:
    """Serves until Ctrl-C, or a request to end."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        server.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
