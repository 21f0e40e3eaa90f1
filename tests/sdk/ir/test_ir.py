# SPDX-License-Identifier: Apache-2.0
"""Graph, Value and TensorType."""

from __future__ import annotations

import numpy as np
from sdk.small_graphs import FLOAT, reshape_graph

from tealight.ir.graph import Graph
from tealight.ir.types import DType, TensorType


def test_names_are_unique_and_deterministic():
    g = Graph("main")
    assert [g.unique_name("a") for _ in range(3)] == ["a", "a.1", "a.2"]
    assert g.unique_name("a.1") == "a.1.1"


def test_constants_are_constants():
    g = Graph("main")
    c = g.constant(np.zeros((2, 3), np.float32))
    assert c.is_const and c.shape == (2, 3) and c.dtype is FLOAT and c.type.nbytes == 24


def test_users_and_values():
    g = reshape_graph()
    users = g.users()
    assert [n.op for n in users[g.inputs[0]]] == ["transpose"]
    assert [v.name for v in g.values()] == ["x", "t", "shape", "y"]


def test_types():
    t = TensorType(DType.INT64, (2, "n"))
    assert not t.is_static and t.rank == 2 and str(t) == "int64[2, n]"
    assert all(DType.of(d.numpy) is d for d in DType)
