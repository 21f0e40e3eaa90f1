# SPDX-License-Identifier: Apache-2.0
"""Turns an op's parity Case into operands and a bundle of one instruction."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from tealight import ops
from tealight.bundle import writer
from tealight.ir.graph import Graph, Value
from tealight.ir.types import DType, TensorType
from tealight.lower.emit import emit


def operands(op: str, index: int) -> list[np.ndarray | None]:
    """Returns the operands of a case; shapes are filled with normal values, the seed is made from op and index."""
    case = ops.get(op).cases()[index]
    rng = np.random.default_rng(zlib.crc32(f"{op}/{index}".encode()))
    result: list[np.ndarray | None] = []
    for x in case.inputs:
        if isinstance(x, tuple):
            x = rng.standard_normal(x).astype(np.float32)
        result.append(x)
    return result


def one_op_graph(op: str, case: ops.Case, arrays: list[np.ndarray | None]) -> Graph:
    """Returns the graph of one node; operands that are no constants are inputs x0, x1 …"""
    graph = Graph("main")
    values: list[Any] = []
    for i, x in enumerate(arrays):
        if x is None:
            values.append(None)
        elif i in case.constants:
            values.append(graph.constant(x, f"c{i}"))
        else:
            values.append(graph.add_input(f"x{i}", TensorType(DType.of(x.dtype), x.shape)))
    graph.outputs = graph.add(op, values, case.attrs, name=f"the_{op}", outputs=[f"y{i}" for i in range(case.outputs)])
    return graph


def one_op_bundle(op: str, case: ops.Case, arrays: list[np.ndarray | None]) -> bytes:
    """Returns the bytes of the bundle."""
    return writer.to_bytes(emit(one_op_graph(op, case, arrays)).bundle)


def embedded_bundle(op: str, case: ops.Case, arrays: list[np.ndarray | None]) -> bytes:
    """Returns a bundle with the op in the middle: operands and results are activations, so it may work in place."""
    graph = one_op_graph(op, case, arrays)
    (node,) = graph.nodes
    graph.nodes = []

    def copy(v: Value, name: str) -> Value:
        return graph.add("transpose", [v], {"perm": list(range(v.type.rank))}, name=name, outputs=[name])[0]

    copies = {v: copy(v, f"copy_{v.name}") for v in graph.inputs}
    node.inputs = [copies.get(v, v) if v is not None else None for v in node.inputs]
    graph.nodes.append(node)
    graph.outputs = [copy(v, f"out_{v.name}") for v in graph.outputs]
    return writer.to_bytes(emit(graph).bundle)


def feeds(case: ops.Case, arrays: list[np.ndarray | None]) -> dict[str, np.ndarray]:
    """Returns the inputs of the bundle."""
    return {f"x{i}": x for i, x in enumerate(arrays) if x is not None and i not in case.constants}


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two results are equal to the bit; any NaN equals any NaN, but -0 is not +0."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.dtype.kind not in "fV":
        return bool(np.array_equal(a, b))
    bits = {2: np.uint16, 4: np.uint32, 8: np.uint64}[a.dtype.itemsize]
    nan = np.isnan(a)
    equal = a.view(bits) == b.view(bits) if a.ndim else np.asarray(a[None].view(bits) == b[None].view(bits))[0]
    return bool(np.array_equal(nan, np.isnan(b)) and np.all(equal | nan))


def assert_close(found: np.ndarray, wanted: np.ndarray, case: ops.Case, what: str) -> None:
    """Checks a result against reference() within the tolerance of the case."""
    assert found.dtype == wanted.dtype, f"{what}: {found.dtype}, the reference has {wanted.dtype}"
    assert found.shape == wanted.shape, f"{what}: shape {found.shape}, the reference has {wanted.shape}"
    if wanted.dtype.kind in "fV":
        np.testing.assert_allclose(
            found.astype(np.float64), wanted.astype(np.float64), case.rtol, case.atol, equal_nan=True, err_msg=what
        )
    elif case.atol >= 1 or case.rtol:
        np.testing.assert_allclose(found, wanted, case.rtol, case.atol, err_msg=what)
    else:
        np.testing.assert_array_equal(found, wanted, err_msg=what)
