# SPDX-License-Identifier: Apache-2.0
"""If and Loop as whole graphs: the native runtime and the NumPy judge give what Python gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tealight.bundle import writer
from tealight.emulator.native import NativeSession
from tealight.emulator.reference import ReferenceSession
from tealight.errors import TealightError
from tealight.ir.graph import Graph, Value
from tealight.ir.types import DType, TensorType
from tealight.lower.emit import emit

F32, I64, BOOL = DType.FLOAT32, DType.INT64, DType.BOOL
SCALAR = TensorType(I64, ())


def _run(graph: Graph, feeds: dict[str, Any]) -> dict[str, np.ndarray]:
    """Runs on both engines, twice each on the native one, and compares them."""
    bundle = writer.to_bytes(emit(graph).bundle)
    wanted = ReferenceSession(bundle).run(feeds)
    for threads in (1, 3):
        session = NativeSession(bundle, threads=threads)
        for _ in range(2):
            found = session.run(feeds)
            assert found.keys() == wanted.keys()
            for key, value in wanted.items():
                assert found[key].dtype == value.dtype
                np.testing.assert_array_equal(found[key], value, err_msg=key)
        session.close()
    return wanted


def _branch(kind: str) -> Graph:
    g = Graph(kind)
    x = g.add_input("x", TensorType(F32, (2, 3)))
    y = g.add("binary", [x, g.constant(np.float32(2))], {"kind": kind})
    g.outputs = [*y, x]
    return g


@pytest.mark.parametrize("cond", [True, False])
def test_if_runs_one_branch_and_passes_captures_on(cond: bool, native: None) -> None:
    g = Graph("main")
    c = g.add_input("c", TensorType(BOOL, ()))
    x = g.add_input("x", TensorType(F32, (2, 3)))
    g.outputs = g.add("if", [c, x], outputs=["y", "same"], subgraphs={"then": _branch("mul"), "else": _branch("add")})
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    result = _run(g, {"c": np.array(cond), "x": array})
    np.testing.assert_array_equal(result["y"], array * 2 if cond else array + 2)
    np.testing.assert_array_equal(result["same"], array)


@pytest.mark.parametrize("cond", [True, False])
def test_if_with_results_of_different_shapes(cond: bool, native: None) -> None:
    def branch(name: str, rows: int) -> Graph:
        g = Graph(name)
        g.outputs = [g.constant(np.full((rows, 2), rows, np.float32))]
        return g

    g = Graph("main")
    c = g.add_input("c", TensorType(BOOL, ()))
    (y,) = g.add("if", [c], outputs=["y"], subgraphs={"then": branch("then", 3), "else": branch("else", 5)})
    assert isinstance(y.shape[0], str) and y.shape[1] == 2
    g.outputs = g.add("binary", [y, y], {"kind": "add"}, outputs=["z"])
    assert _run(g, {"c": np.array(cond)})["z"].shape == ((3, 2) if cond else (5, 2))


def _fibonacci_body() -> Graph:
    """Carries (a, b) to (b, a + b), scans a and the iteration, goes on while a + b < limit."""
    g = Graph("body")
    i, _ = g.add_input("i", SCALAR), g.add_input("go", TensorType(BOOL, ()))
    a, b = g.add_input("a", SCALAR), g.add_input("b", SCALAR)
    limit = g.add_input("limit", SCALAR)
    (total,) = g.add("binary", [a, b], {"kind": "add"})
    (cond,) = g.add("binary", [total, limit], {"kind": "less"})
    g.outputs = [cond, b, total, a, i]
    return g


def _fibonacci(trips: Value | None, g: Graph) -> Graph:
    a, b, limit = (g.add_input(n, SCALAR) for n in ("a", "b", "limit"))
    g.outputs = g.add(
        "loop", [trips, None, a, b, limit], {"carried": 2}, outputs=["a_end", "b_end", "all", "steps"],
        subgraphs={"body": _fibonacci_body()},
    )  # fmt: skip
    return g


@pytest.mark.parametrize(("trips", "limit"), [(10, 10**9), (100, 50), (1, 10**9), (0, 5), (-3, 5), (2**62, 300)])
def test_loop_swaps_carried_values_and_stacks_scans(trips: int, limit: int, native: None) -> None:
    g = Graph("main")
    _fibonacci(g.add_input("trips", SCALAR), g)
    feeds = {"trips": np.array(trips), "a": np.array(1), "b": np.array(1), "limit": np.array(limit)}
    result = _run(g, feeds)
    a, b, scanned, i = 1, 1, [], 0
    while i < trips:
        scanned.append(a)
        a, b, i = b, a + b, i + 1
        if b >= limit:
            break
    assert (int(result["a_end"]), int(result["b_end"])) == (a, b)
    assert result["all"].tolist() == scanned and result["steps"].tolist() == list(range(i))


def test_loop_without_trip_count_ends_by_its_condition(native: None) -> None:
    result = _run(_fibonacci(None, Graph("main")), {"a": np.array(1), "b": np.array(2), "limit": np.array(20)})
    assert result["all"].tolist() == [1, 2, 3, 5, 8]


def test_loop_whose_carried_value_grows(native: None) -> None:
    body = Graph("body")
    body.add_input("i", SCALAR)
    go = body.add_input("go", TensorType(BOOL, ()))
    x = body.add_input("x", TensorType(F32, ("n", 3)))
    row = body.add_input("row", TensorType(F32, (1, 3)))
    grown = body.add("concat", [x, row], {"axis": 0})
    sums = body.add("binary", [row, row], {"kind": "add"})
    body.outputs = [go, *grown, *sums]
    g = Graph("main")
    x0, r0 = g.add_input("x", TensorType(F32, ("m", 3))), g.add_input("row", TensorType(F32, (1, 3)))
    trips = g.constant(np.array(4))
    g.outputs = g.add("loop", [trips, None, x0, r0], {"carried": 1}, outputs=["y", "s"], subgraphs={"body": body})
    row_array = np.array([[1, 2, 3]], np.float32)
    result = _run(g, {"x": np.zeros((2, 3), np.float32), "row": row_array})
    assert result["y"].shape == (6, 3) and result["s"].shape == (4, 1, 3)


def test_nested_control_flow(native: None) -> None:
    """An If in a Loop in a Loop: sums of even numbers."""

    def keep(name: str, adds: bool) -> Graph:
        g = Graph(name)
        total, n = g.add_input("total", SCALAR), g.add_input("n", SCALAR)
        g.outputs = g.add("binary", [total, n], {"kind": "add"}) if adds else [total]
        return g

    inner = Graph("inner")
    i, go = inner.add_input("i", SCALAR), inner.add_input("go", TensorType(BOOL, ()))
    total = inner.add_input("total", SCALAR)
    (odd,) = inner.add("binary", [i, inner.constant(np.array(2))], {"kind": "mod"})
    (even,) = inner.add("binary", [odd, inner.constant(np.array(0))], {"kind": "equal"})
    new = inner.add("if", [even, total, i], subgraphs={"then": keep("then", True), "else": keep("else", False)})
    inner.outputs = [go, *new]

    outer = Graph("outer")
    i, go = outer.add_input("i", SCALAR), outer.add_input("go", TensorType(BOOL, ()))
    total = outer.add_input("total", SCALAR)
    new = outer.add("loop", [i, None, total], {"carried": 1}, subgraphs={"body": inner})
    outer.outputs = [go, *new, *new]

    g = Graph("main")
    trips, start = g.add_input("trips", SCALAR), g.add_input("start", SCALAR)
    g.outputs = g.add("loop", [trips, None, start], {"carried": 1}, outputs=["sum", "sums"], subgraphs={"body": outer})
    result = _run(g, {"trips": np.array(9), "start": np.array(5)})
    expected = [5]
    for k in range(9):
        expected.append(expected[-1] + sum(n for n in range(k) if n % 2 == 0))
    assert result["sums"].tolist() == expected[1:] and int(result["sum"]) == expected[-1]


def test_endless_loop_meets_its_deadline(native: None) -> None:
    body = Graph("body")
    body.add_input("i", SCALAR)
    go = body.add_input("go", TensorType(BOOL, ()))
    x = body.add_input("x", SCALAR)
    body.outputs = [go, x]
    g = Graph("main")
    start = g.add_input("x", SCALAR)
    g.outputs = g.add("loop", [None, None, start], {"carried": 1}, outputs=["y"], subgraphs={"body": body})
    session = NativeSession(writer.to_bytes(emit(g).bundle))
    with pytest.raises(TealightError, match="deadline"):
        session.run({"x": np.array(1)}, deadline_ns=50_000_000)
    session.close()


def test_scan_that_changes_its_shape_is_an_error(native: None) -> None:
    body = Graph("body")
    i, go = body.add_input("i", SCALAR), body.add_input("go", TensorType(BOOL, ()))
    (steps,) = body.add("range", [body.constant(np.array(0)), i, body.constant(np.array(1))])
    body.outputs = [go, steps]
    g = Graph("main")
    trips = g.add_input("trips", SCALAR)
    g.outputs = g.add("loop", [trips, None], {"carried": 0}, outputs=["y"], subgraphs={"body": body})
    session = NativeSession(writer.to_bytes(emit(g).bundle))
    assert session.run({"trips": np.array(1)})["y"].shape == (1, 0)
    with pytest.raises(TealightError, match="dim 0 is 1 in iteration 1"):
        session.run({"trips": np.array(3)})
    session.close()


@pytest.mark.parametrize(
    ("op", "x", "indices", "attrs", "message"),
    [
        ("gather", (5,), [[1, 2], [-6, 9]], {"axis": 0}, r"index -6 at element 2, expected in \[-5, 4\]"),
        ("gather_elements", (5, 2), [[4, 4], [0, 5]], {"axis": 0}, r"index 5 at element 3, expected in \[-5, 4\]"),
        ("gather_nd", (5, 2), [[4, 1], [0, 2]], {}, r"index 2 at element 3, expected in \[-2, 1\]"),
    ],
)
def test_index_out_of_range_is_an_error_of_the_run(
    op: str, x: tuple[int, ...], indices: list[Any], attrs: dict[str, int], message: str, native: None
) -> None:
    g = Graph("main")
    where = np.array(indices)
    operands = [g.add_input("x", TensorType(F32, x)), g.add_input("i", TensorType(I64, where.shape))]
    g.outputs = g.add(op, operands, attrs, name="pick", outputs=["y"])
    session = NativeSession(writer.to_bytes(emit(g).bundle))
    with pytest.raises(TealightError, match=f"{op} 'pick': {message}"):
        session.run({"x": np.zeros(x, np.float32), "i": where})
    with pytest.raises(TealightError):
        ReferenceSession(writer.to_bytes(emit(g).bundle)).run({"x": np.zeros(x, np.float32), "i": where})
    session.close()


@pytest.mark.parametrize("op", ["scatter_elements", "scatter_nd"])
def test_scatter_out_of_range_is_an_error_of_the_run(op: str, native: None) -> None:
    g = Graph("main")
    shape = (3,) if op == "scatter_elements" else (3, 1)
    operands = [g.add_input(n, TensorType(t, s)) for n, t, s in (("x", F32, (4,)), ("i", I64, shape), ("u", F32, (3,)))]
    g.outputs = g.add(op, operands, {"axis": 0} if op == "scatter_elements" else {}, name="put", outputs=["y"])
    session = NativeSession(writer.to_bytes(emit(g).bundle))
    feeds = {"x": np.zeros(4, np.float32), "u": np.ones(3, np.float32)}
    with pytest.raises(TealightError, match=f"{op} 'put': index 4 at element 1, expected in \\[-4, 3\\]"):
        session.run({**feeds, "i": np.array([-4, 4, -5]).reshape(shape)})
    assert session.run({**feeds, "i": np.array([-4, 3, 3]).reshape(shape)})["y"].tolist() == [1, 0, 0, 1]
    session.close()
