# SPDX-License-Identifier: Apache-2.0
"""IF, WHILE, CALL_ONCE and variables of .tflite files against LiteRT, and bodies that make no sense."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sdk.frontends.graph_interpreter import evaluate
from sdk.frontends.tflite_builder import ModelBuilder

from tealight.errors import ImportModelError, UnsupportedOpError
from tealight.frontends.tflite import reader
from tealight.frontends.tflite.importer import Importer

IF, WHILE, CALL_ONCE, VAR_HANDLE = 92, 93, 103, 111


def judged(data: bytes, *runs: dict[str, np.ndarray]) -> list[list[np.ndarray]]:
    """Returns what LiteRT makes of each run."""
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT judges; it is not installed here")
    runner = litert.Interpreter(model_content=data)
    runner.allocate_tensors()
    found = []
    for feeds in runs:
        for d in runner.get_input_details():
            runner.set_tensor(d["index"], feeds[d["name"]])
        runner.invoke()
        found.append([runner.get_tensor(d["index"]) for d in runner.get_output_details()])
    return found


def evaluated(data: bytes, feeds: dict[str, np.ndarray], notes: list[str] | None = None) -> list[np.ndarray]:
    """Returns what the imported graph gives."""
    return list(evaluate(Importer(reader.parse(data, "x")).run({}, [] if notes is None else notes), feeds).values())


def unary_graph(b: ModelBuilder, op: str, shape: list[int]) -> dict[str, Any]:
    """Returns a graph of one operator."""
    g = b.another()
    x, y = g.tensor("x", "float32", shape), g.tensor("y", "float32", shape)
    g.op(op, [x], [y])
    return g.graph([x], [y])


def conditional(condition: bool | None = None) -> bytes:
    """A model that takes the square of x, or its absolute value."""
    b = ModelBuilder()
    p = b.tensor("p", "bool", []) if condition is None else b.const(condition, "bool")
    x, y = b.tensor("in", "float32", [2, 3]), b.tensor("out", "float32", [2, 3])
    b.op("IF", [p, x], [y], IF, then_subgraph=1, else_subgraph=2)
    inputs = [p, x] if condition is None else [x]
    return b.finish(inputs, [y], unary_graph(b, "SQUARE", [2, 3]), unary_graph(b, "ABS", [2, 3]))


@pytest.mark.parametrize("condition", [True, False])
@pytest.mark.parametrize("is_known", [True, False])
def test_if_takes_one_branch(condition: bool, is_known: bool) -> None:
    data = conditional(condition if is_known else None)
    feeds = {"p": np.array(condition), "in": np.linspace(-3, 2, 6, dtype=np.float32).reshape(2, 3)}
    np.testing.assert_array_equal(evaluated(data, feeds)[0], judged(data, feeds)[0][0])


def loop(limit: int, *, grows: bool = False) -> bytes:
    """A model that adds w to x and counts until `limit`: (i, w, x) -> (i + 1, w, x + w, or x beside w)."""
    b = ModelBuilder()
    size = [4] if grows else [2]
    i, w, x = b.const(0), b.tensor("w", "float32", [2]), b.tensor("x", "float32", [2])
    results = [b.tensor("n", "int32", []), b.tensor("same", "float32", [2]), b.tensor("y", "float32", size)]
    b.op("WHILE", [i, w, x], results, WHILE, cond_subgraph=1, body_subgraph=2)
    cond = b.another()
    names = [("i", "int32", []), ("w", "float32", [2]), ("x", "float32", [2])]
    inputs = [cond.tensor(*n) for n in names]
    holds = cond.tensor("holds", "bool", [])
    cond.op("LESS", [inputs[0], cond.const(limit)], [holds])
    body = b.another()
    taken = [body.tensor(*n) for n in names]
    more, y = body.tensor("more", "int32", []), body.tensor("sum", "float32", size)
    body.op("ADD", [taken[0], body.const(1)], [more], 11)
    if grows:
        body.op("CONCATENATION", [taken[2], taken[1]], [y], 10, axis=0)
    else:
        body.op("ADD", [taken[2], taken[1]], [y], 11)
    graphs = [cond.graph(inputs, [holds]), body.graph(taken, [more, taken[1], y])]
    return b.finish([w, x], results, *graphs)


@pytest.mark.parametrize("limit", [0, 1, 7])
def test_while_runs_as_often_as_its_condition_holds(limit: int) -> None:
    feeds = {"w": np.array([1.5, -2], np.float32), "x": np.array([0.25, 8], np.float32)}
    for got, want in zip(evaluated(loop(limit), feeds), judged(loop(limit), feeds)[0], strict=True):
        np.testing.assert_array_equal(got, want)


def test_a_carried_value_may_grow() -> None:
    feeds = {"w": np.array([1, 2], np.float32), "x": np.array([3, 4], np.float32)}
    y = evaluated(loop(3, grows=True), feeds)[2]
    np.testing.assert_array_equal(y, [3, 4, 1, 2, 1, 2, 1, 2])


def counting() -> bytes:
    """A model whose variable starts at 5 and adds x in each run."""
    b = ModelBuilder()
    b.op("CALL_ONCE", [], [], CALL_ONCE, init_subgraph=1)
    x, handle, old, y = (
        b.tensor("x", "float32", [2]), b.tensor("v", "resource", []), b.tensor("old", "float32", [2]),
        b.tensor("y", "float32", [2]),
    )  # fmt: skip
    b.op("VAR_HANDLE", [], [handle], VAR_HANDLE, shared_name="total")
    b.op("READ_VARIABLE", [handle], [old])
    b.op("ADD", [old, x], [y], 11)
    b.op("ASSIGN_VARIABLE", [handle, y], [])
    init = b.another()
    inner = init.tensor("v", "resource", [])
    init.op("VAR_HANDLE", [], [inner], VAR_HANDLE, shared_name="total")
    init.op("ASSIGN_VARIABLE", [inner, init.const([5, 5], "float32")], [])
    return b.finish([x], [y], init.graph([], []))


def test_a_variable_starts_anew_in_each_run_and_a_note_says_so() -> None:
    feeds, notes = {"x": np.array([1, 2], np.float32)}, list[str]()
    found = [evaluated(counting(), feeds, notes)[0] for _ in range(2)]
    first, second = (run[0] for run in judged(counting(), feeds, feeds))
    np.testing.assert_array_equal(found, [first, first])
    np.testing.assert_array_equal(second, [7, 9])
    assert notes[:1] == ["variable 'total' keeps its value between runs: it starts anew in each"]


def test_slices_with_computed_bounds() -> None:
    b = ModelBuilder()
    x, begin, size = b.tensor("x", "float32", [5, 3]), b.tensor("begin", "int32", [2]), b.tensor("size", "int32", [2])
    y = b.tensor("y", "float32", [2, 2])
    b.op("SLICE", [x, begin, size], [y])
    feeds = {"x": np.arange(15, dtype=np.float32).reshape(5, 3)}
    feeds |= {"begin": np.array([3, 1], np.int32), "size": np.array([2, -1], np.int32)}
    np.testing.assert_array_equal(evaluated(b.finish([x, begin, size], [y]), feeds)[0], [[10, 11], [13, 14]])


# ---- bodies that make no sense ----


@pytest.mark.parametrize("index", [0, 3, -1])
def test_graphs_inside_of_themselves_and_missing_ones(index: int) -> None:
    model = reader.parse(conditional(True), "x")
    model.graphs[0].operators[0].options["then_subgraph"] = index
    with pytest.raises(UnsupportedOpError, match=f"graph {index}"):
        Importer(model).run({}, [])


def test_what_a_body_lacks_is_reported_once() -> None:
    model = reader.parse(conditional(), "x")
    model.graphs[1].operators[0].op = "HASHTABLE"
    with pytest.raises(UnsupportedOpError, match="1 nodes cannot be imported") as error:
        Importer(model).run({}, [])
    assert error.value.op == "HASHTABLE"


def test_nested_graphs_cannot_blow_up_an_import() -> None:
    b = ModelBuilder()
    count = 40

    def calls(g: ModelBuilder, index: int) -> tuple[list[int], list[int]]:
        x, y, z = (g.tensor(n, "float32", [1]) for n in "xyz")
        for a, r in ((x, y), (y, z)):
            if index < count:
                g.op("CALL", [a], [r], 16, subgraph=index + 1)
            else:
                g.op("ABS", [a], [r])
        return [x], [z]

    ends = calls(b, 0)
    bodies = []
    for i in range(1, count + 1):
        g = b.another()
        bodies.append(g.graph(*calls(g, i)))
    with pytest.raises(ImportModelError, match="expected fewer"):
        Importer(reader.parse(b.finish(*ends, *bodies), "x")).run({}, [])


def test_variables_that_nobody_assigned_or_that_come_from_elsewhere() -> None:
    model = reader.parse(counting(), "x")
    model.graphs[0].operators.pop(0)
    with pytest.raises(UnsupportedOpError, match="before it is assigned"):
        Importer(model).run({}, [])
    model = reader.parse(counting(), "x")
    model.graphs[0].operators.pop(1)
    with pytest.raises(UnsupportedOpError, match="handle beside its use"):
        Importer(model).run({}, [])
