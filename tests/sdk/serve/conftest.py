# SPDX-License-Identifier: Apache-2.0
"""Servers of two small models."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sdk.serve.client import Client, colours, loop

import tealight
from tealight.serve.server import Server


@pytest.fixture(scope="package")
def bundles(native: None, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """colours.tea and loop.tea."""
    folder = tmp_path_factory.mktemp("bundles")
    image = {"mean": 0.0, "scale": 1 / 64}
    green = np.zeros((1, 3, 8, 12), np.float32)
    green[:, 1] = 3
    tealight.build(
        colours(folder / "c.onnx"),
        folder / "colours.tea",
        labels=["red", "<green>", "blue"],
        image=image,
        golden=[{"x": green}],
    )
    tealight.build(loop(folder / "l.onnx"), folder / "loop.tea")
    return [str(folder / "colours.tea"), str(folder / "loop.tea")]


@pytest.fixture
def start(bundles: list[str]) -> Iterator[Any]:
    """Starts servers of the two bundles and returns clients; all end with the test."""
    servers: list[Server] = []

    def begin(**options: Any) -> Client:
        server = Server(options.pop("bundles", bundles), **options)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return Client(server)

    yield begin
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def client(start: Any) -> Client:
    return start()
