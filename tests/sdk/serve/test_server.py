# SPDX-License-Identifier: Apache-2.0
"""The server binds this machine alone, limits connections, and refuses what it cannot serve."""

from __future__ import annotations

import errno
import socket
import time

import pytest

from tealight.errors import TealightError
from tealight.serve import server as module
from tealight.serve.server import Server


def test_it_listens_on_the_loopback_alone(client):
    assert client.server.socket.getsockname()[0] == "127.0.0.1"
    assert client.server.url == f"http://127.0.0.1:{client.port}/"


def test_a_taken_port_is_named(client, bundles):
    with pytest.raises(TealightError, match=f"port {client.port}: .*expected a free one; --port 0"):
        Server(bundles, port=client.port)
    with pytest.raises(TealightError, match="expected 0 to 65535"):
        Server(bundles, port=70000)


def test_damaged_bundles_are_refused_at_the_start(tmp_path):
    (tmp_path / "m.tea").write_bytes(b"damaged")
    for path in (tmp_path / "m.tea", tmp_path / "none.tea"):
        with pytest.raises(TealightError, match=path.name):
            Server([str(path)])
    with pytest.raises(TealightError, match="0 bundles"):
        Server([])


def test_too_many_connections_are_dropped_and_freed_again(start, monkeypatch):
    monkeypatch.setattr(module, "_MAX_CONNECTIONS", 3)
    client = start()
    time.sleep(0.1)  # the connection of the client's own start ends
    idle = [socket.create_connection(("127.0.0.1", client.port), timeout=10) for _ in range(3)]
    time.sleep(0.2)
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as s:
        assert s.recv(1) == b""
    for s in idle:
        s.close()
    end = time.monotonic() + 20
    while True:  # their threads end soon
        try:
            assert client.ask("GET", "/api/models")[0] == 200
            break
        except ConnectionError:
            assert time.monotonic() < end
            time.sleep(0.05)


def test_each_start_has_its_own_token(start):
    assert start().token != start().token


def test_without_ipv4_it_takes_the_loopback_of_ipv6(bundles, monkeypatch):
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    bind = Server.server_bind

    def no_ipv4(self):
        if self.address_family == socket.AF_INET:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        bind(self)

    monkeypatch.setattr(Server, "server_bind", no_ipv4)
    try:
        with Server(bundles) as server:
            assert server.url.startswith("http://[::1]:")
    except TealightError as e:
        pytest.skip(f"no IPv6 loopback here: {e}")
