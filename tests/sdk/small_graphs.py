# SPDX-License-Identifier: Apache-2.0
"""Small graphs and bundles for the tests of bundle, lower and emulator."""

from __future__ import annotations

import numpy as np

from tealight.bundle import writer
from tealight.ir.graph import Graph
from tealight.ir.types import DType, TensorType
from tealight.lower.emit import emit

FLOAT = DType.FLOAT32


def reshape_graph(constant_bytes: int = 0) -> Graph:
    """x [2, 3, 4] -> transpose -> reshape -> y [6, 4]; with a large constant concatenated on demand."""
    g = Graph("main")
    x = g.add_input("x", TensorType(FLOAT, (2, 3, 4)))
    (t,) = g.add("transpose", [x], {"perm": [1, 0, 2]}, name="turn", outputs=["t"])
    (y,) = g.add("reshape", [t, g.constant(np.array([6, 4], np.int64), "shape")], name="flat", outputs=["y"])
    if constant_bytes:
        rows = constant_bytes // 16
        weights = g.constant(np.arange(rows * 4, dtype=np.float32).reshape(rows, 4), "weights")
        (y,) = g.add("concat", [y, weights], {"axis": 0}, name="join", outputs=["z"])
    g.outputs = [y]
    return g


def small_bundle(constant_bytes: int = 0, **parts: object) -> bytes:
    """Returns the bytes of reshape_graph()."""
    return writer.to_bytes(emit(reshape_graph(constant_bytes), **parts).bundle)


def dynamic_graph() -> Graph:
    """x [n, 4] -> reshape [-1]: an open dim."""
    g = Graph("main")
    x = g.add_input("x", TensorType(FLOAT, ("n", 4)))
    g.outputs = g.add("reshape", [x, g.constant(np.array([-1, 2], np.int64), "shape")], name="flat", outputs=["y"])
    return g


def endless_graph() -> Graph:
    """A loop that never ends by itself: x turned for ever."""
    body = Graph("body")
    body.add_input("i", TensorType(DType.INT64, ()))
    going = body.add_input("going", TensorType(DType.BOOL, ()))
    v = body.add_input("v", TensorType(FLOAT, (4, 4)))
    body.outputs = [going, *body.add("transpose", [v], {"perm": [1, 0]}, name="turn", outputs=["w"])]
    g = Graph("main")
    x = g.add_input("x", TensorType(FLOAT, (4, 4)))
    go = g.constant(np.array(True), "go")
    g.outputs = g.add("loop", [None, go, x], {"carried": 1}, name="loop", outputs=["y"], subgraphs={"body": body})
    return g
