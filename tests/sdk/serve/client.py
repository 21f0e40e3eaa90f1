# SPDX-License-Identifier: Apache-2.0
"""Two small models, and a client that speaks to the server as its page does."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import pathlib
import re
import struct
import time
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from tealight.serve.server import Server


def loop(path: pathlib.Path) -> pathlib.Path:
    """Writes a model that runs as long as its input n says: y = x times 1, n times."""
    number = helper.make_tensor_value_info("n", TensorProto.INT64, [])
    x, y, v, v2 = (helper.make_tensor_value_info(k, TensorProto.FLOAT, [4]) for k in ("x", "y", "v", "v2"))
    i = helper.make_tensor_value_info("i", TensorProto.INT64, [])
    c, c2 = (helper.make_tensor_value_info(k, TensorProto.BOOL, []) for k in ("c", "c2"))
    steps = [helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("Mul", ["v", "k"], ["v2"])]
    body = helper.make_graph(
        steps, "body", [i, c, v], [c2, v2], [helper.make_tensor("k", TensorProto.FLOAT, [1], [1.0])]
    )
    graph = helper.make_graph([helper.make_node("Loop", ["n", "", "x"], ["y"], body=body)], "loop", [number, x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def colours(path: pathlib.Path) -> pathlib.Path:
    """Writes a classifier of pictures by their colour: the mean of each channel, then softmax."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 12])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Softmax", ["f"], ["y"], axis=1),
    ]
    graph = helper.make_graph(nodes, "colours", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


class Client:
    """Asks a server as its page does; headers can be replaced or left out (None)."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.port = server.server_address[1]
        page = self.raw("GET", "/", token=None)[2].decode()
        self.token = re.search(r'name="token" content="([^"]+)"', page).group(1)

    def raw(
        self, method: str, path: str, body: bytes | None = None, token: str | None = "", **headers: str | None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {"Host": f"127.0.0.1:{self.port}", "Content-Length": None if body is None else str(len(body))}
        sent["X-Tealight-Token"] = self.token if token == "" else token
        sent.update({k.replace("_", "-"): v for k, v in headers.items()})
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in sent.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def ask(self, method: str, path: str, body: bytes | None = None, **options: Any) -> tuple[int, Any]:
        status, _, data = self.raw(method, path, body, **options)
        return status, json.loads(data)

    def submit(self, model: int, *files: tuple[str, str | None, bytes], **header: Any) -> tuple[int, Any]:
        return self.ask("POST", "/api/run", message(model, *files, **header))

    def state(self, id: str) -> Any:
        return self.ask("GET", f"/api/jobs/{id}")[1]

    def wait(self, id: str, *states: str, seconds: float = 60) -> Any:
        """Waits until a job is over, or in one of the states."""
        end = time.monotonic() + seconds
        while (job := self.state(id))["state"] not in (states or ("done", "failed", "cancelled")):
            assert time.monotonic() < end, job
            time.sleep(0.01)
        return job

    def run(self, model: int, *files: tuple[str, str | None, bytes], **header: Any) -> Any:
        """Runs to the end."""
        status, job = self.submit(model, *files, **header)
        assert status == 202, job
        return self.wait(job["id"])


def message(model: int, *files: tuple[str, str | None, bytes], device: str = "host", **more: Any) -> bytes:
    """Returns the body of a request."""
    listed = [{"name": n, "input": i, "size": len(data)} for n, i, data in files]
    header = json.dumps({"model": model, "device": device, "files": listed, **more}).encode()
    return struct.pack("<I", len(header)) + header + b"".join(data for _, _, data in files)


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def endless(turns: int = 10**12) -> tuple[tuple[str, str, bytes], ...]:
    """Returns the files that make loop.tea run (almost) for ever."""
    return ("n.npy", "n", npy(np.array(turns))), ("x.npy", "x", npy(np.ones(4, np.float32)))
