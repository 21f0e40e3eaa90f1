# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import random

import numpy as np
import pytest
from sdk.small_graphs import FLOAT, reshape_graph

from tealight.errors import TealightError
from tealight.ir.graph import Graph, Value
from tealight.ir.types import DType, TensorType
from tealight.lower import plan_memory as pm


def _overlaps(a: pm.Buffer, b: pm.Buffer) -> bool:
    return not (a.last < b.first or b.last < a.first) and a.offset < b.offset + b.size and b.offset < a.offset + a.size


def _random_buffers(seed: int) -> list[pm.Buffer]:
    rng = random.Random(seed)
    buffers = []
    for i in range(rng.randint(1, 60)):
        first = rng.randint(0, 50)
        buffers.append(pm.Buffer(64 * rng.choice([0, 1, 2, 5, 40, 41, 200]), first, first + rng.randint(0, 12)))
        buffers[-1].offset = -i
    return buffers


@pytest.mark.parametrize("seed", range(40))
def test_live_buffers_never_overlap(seed):
    buffers = _random_buffers(seed)
    total = pm.place(buffers)
    assert total >= pm.lower_bound(buffers)
    for i, a in enumerate(buffers):
        assert a.offset >= 0 and a.offset % 64 == 0 and a.offset + a.size <= total
        for b in buffers[:i]:
            assert not (a.size and b.size and _overlaps(a, b))


def test_plans_are_close_to_the_bound():
    over = []
    for seed in range(40):
        buffers = _random_buffers(seed)
        over.append(pm.place(buffers) / max(pm.lower_bound(buffers), 1))
    assert sum(over) / len(over) < 1.02 and max(over) < 1.15


def test_same_input_same_plan():
    first, second = _random_buffers(5), _random_buffers(5)
    assert pm.place(first) == pm.place(second)
    assert [b.offset for b in first] == [b.offset for b in second]


def test_empty():
    assert pm.place([]) == 0


def _chain(op: str, attrs: dict, n: int) -> Graph:
    g = Graph("main")
    v = g.add_input("x", TensorType(FLOAT, (4, 16)))
    for i in range(n):
        (v,) = g.add(op, [v], attrs, name=f"n{i}", outputs=[f"v{i}"])
    g.outputs = [v]
    return g


def test_chain_needs_two_buffers_out_of_place():
    plan = pm.plan_memory(_chain("transpose", {"perm": [0, 1]}, 6))
    assert plan.arena_bytes == plan.lower_bound == 512


def test_chain_in_place_needs_one():
    plan = pm.plan_memory(_chain("unary", {"kind": "relu"}, 6))
    assert plan.arena_bytes == plan.lower_bound == 256


def test_in_place_needs_elements_at_the_same_places():
    """A row of 16 floats has the bytes of 4 rows of 16 bools, which are compared with it one after the other."""
    g = Graph("main")
    x = g.add_input("x", TensorType(FLOAT, (1, 16)))
    rows = g.constant(np.zeros((4, 16), np.float32))
    (row,) = g.add("unary", [x], {"kind": "neg"}, outputs=["row"])
    g.outputs = g.add("binary", [rows, row], {"kind": "less"}, outputs=["y"])
    assert pm.plan_memory(g).arena_bytes == 128


def test_in_place_spares_values_that_live_on():
    g = Graph("main")
    x = g.add_input("x", TensorType(FLOAT, (4, 16)))
    (a,) = g.add("transpose", [x], {"perm": [1, 0]}, name="a", outputs=["a"])
    (b,) = g.add("unary", [a], {"kind": "relu"}, name="b", outputs=["b"])
    (c,) = g.add("unary", [b], {"kind": "neg"}, name="c", outputs=["c"])
    g.outputs = [a, b, c]
    offsets = pm.plan_memory(g).offsets
    assert len({offsets[v] for v in (a, b, c)}) == 3


def test_reshape_shares_its_operand():
    g = reshape_graph()
    plan = pm.plan_memory(g)
    t, y = g.nodes[0].outputs[0], g.nodes[1].outputs[0]
    assert plan.offsets[t] == plan.offsets[y] and plan.arena_bytes == 128


def test_nothing_works_in_place_on_an_aliased_value_that_is_read_later():
    g = reshape_graph()
    t = g.nodes[0].outputs[0]
    y = g.outputs[0]
    (r,) = g.add("unary", [y], {"kind": "relu"}, name="r", outputs=["r"])
    (s,) = g.add("transpose", [t], {"perm": [0, 2, 1]}, name="s", outputs=["s"])
    g.outputs = [r, s]
    offsets = pm.plan_memory(g).offsets
    assert offsets[r] != offsets[t]


def _grow(g: Graph, rng: random.Random, values: list[Value]) -> list[Value]:
    """Adds a random node of values whose shapes broadcast, some of the same bytes but of other elements."""
    x = rng.choice(values)
    y = rng.choice([v for v in values if v.dtype is x.dtype])
    kind = rng.randrange(6)
    if kind == 0:
        return g.add("cast", [x], {"to": rng.choice([DType.FLOAT32, DType.BOOL, DType.INT32, DType.INT64]).value})
    if kind == 1 and x.dtype is not DType.BOOL:
        return g.add("binary", [x, y], {"kind": rng.choice(["add", "less", "max", "equal"])})
    if kind == 2:
        shape = rng.choice([(64,), (4, 16), (1, 64), (4, 1, 16)]) if x.type.elements == 64 else (1, *x.shape)[-3:]
        return g.add("reshape", [x, g.constant(np.array(shape, np.int64))]) if np.prod(shape) == x.type.elements else []
    if kind == 3:
        conditions = [v for v in values if v.dtype is DType.BOOL]
        return g.add("where", [rng.choice(conditions), x, y]) if conditions else []
    if kind == 4 and x.dtype is DType.FLOAT32:
        return g.add("unary", [x], {"kind": "relu"})
    if kind == 5 and isinstance(x.shape[-1], int) and x.shape[-1] % 2 == 0:
        return g.add("split", [x], {"axis": -1, "sizes": [x.shape[-1] // 2] * 2}, outputs=2)
    return []


@pytest.mark.parametrize("seed", range(300))
def test_every_operand_is_there_when_it_is_read(seed):
    """Plays the program on an arena that remembers, for each byte, which value was written last."""
    rng = random.Random(seed)
    g = Graph("main")
    values = [g.add_input(n, TensorType(FLOAT, s)) for n, s in (("a", (4, 16)), ("b", (16,)), ("c", (1, 64)))]
    for _ in range(rng.randrange(3, 25)):
        with contextlib.suppress(TealightError):
            values += [v for v in _grow(g, rng, values) if v.type.elements <= 1 << 14]
    g.outputs = [v for v in values if v.producer is not None and rng.random() < 0.2]
    plan = pm.plan_memory(g)
    arena = np.zeros(plan.arena_bytes, object)

    def span(v: Value) -> tuple[slice, int]:
        return slice(plan.offsets[v], plan.offsets[v] + v.type.nbytes), v.dtype.size

    holds: dict[Value, Value] = {}  # what the bytes of a value say: of a reshape, the value it was made of
    for node in g.nodes:
        live = [v for v in node.inputs if v is not None and v in plan.offsets]
        for v in live:
            assert (arena[span(v)[0]] == holds[v]).all(), f"{node} reads {v.name}, which is overwritten"
        for v in node.outputs:
            again = node.op == "reshape" and node.inputs[0] in live
            if not again:  # written while the operands are read: apart from them, or element by element over one
                shared = [o for o in live if span(o)[0].start < span(v)[0].stop and span(v)[0].start < span(o)[0].stop]
                assert all(span(o) == span(v) for o in shared), f"{node} writes over {shared}"
            holds[v] = holds[node.inputs[0]] if again else v
            arena[span(v)[0]] = holds[v]
    assert all((arena[span(v)[0]] == holds[v]).all() for v in g.outputs)
