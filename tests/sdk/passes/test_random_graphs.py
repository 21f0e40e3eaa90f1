# SPDX-License-Identifier: Apache-2.0
"""The pipeline on random graphs: what they compute, their names and types stay; the same seed gives the same graph."""

from __future__ import annotations

import numpy as np
import pytest
from graph_builder import Build

from tealight.ir.graph import Value
from tealight.passes import pipeline

SEEDS = 60


def random_network(seed: int, *, symbolic: bool) -> tuple[Build, list[Value]]:
    """Grows a graph of 4-d values by random nodes: layers between transposes, elementwise, movement, reductions."""
    rng = np.random.default_rng(seed)
    b = Build()
    b.rng = np.random.default_rng(seed)
    batch = "n" if symbolic else int(rng.integers(1, 3))
    values = [b.input(batch, 4, 6, 4), b.input(batch, 4, 6, 4, name="z")]
    for _ in range(int(rng.integers(4, 22))):
        x = values[-1] if rng.random() < 0.6 else values[int(rng.integers(len(values)))]
        made = grow(b, rng, x, values)
        if made is not None:
            values.append(made)
    count = int(rng.integers(1, 4))
    last = [v for v in values[-count:] if v.producer is not None]
    return b, list(dict.fromkeys(last)) or [b.unary("neg", values[0])]


def grow(b: Build, rng: np.random.Generator, x: Value, values: list[Value]) -> Value | None:
    """Returns a new value of x, or None when the drawn node does not fit."""
    fixed = all(isinstance(d, int) for d in x.shape)
    channels = x.shape[-1]
    kind = int(rng.integers(14))
    if kind == 0:
        return b.transpose(x, *[0, *(1 + rng.permutation(3)).tolist()])
    if kind == 1 and isinstance(channels, int):
        y = b.conv(b.transpose(x, 0, 2, 3, 1), 4, k=1, pad=0) if isinstance(x.shape[1], int) else None
        return None if y is None else b.transpose(y, 0, 3, 1, 2)
    if kind == 2:
        return b.unary(str(rng.choice(["relu", "tanh", "sigmoid", "neg", "abs"])), x)
    if kind == 3:
        return b.binary(str(rng.choice(["add", "mul", "sub", "max"])), x, float(rng.integers(-2, 3)))
    if kind == 4:
        shape = [d if isinstance(d, int) and rng.random() < 0.5 else 1 for d in x.shape[1:]]
        return b.binary(str(rng.choice(["add", "mul"])), x, b.normal(*shape))
    if kind == 5:
        same = [v for v in values if v.shape == x.shape]
        return b.binary(str(rng.choice(["add", "mul", "sub"])), x, same[int(rng.integers(len(same)))])
    if kind == 6:
        same = [v for v in values if v.shape[:1] == x.shape[:1] and v.shape[2:] == x.shape[2:]]
        y = b("concat", x, same[int(rng.integers(len(same)))], axis=1)
        return b("slice", y, b.ints(1), b.ints(5), b.ints(1))
    if kind == 7:
        axis = int(rng.integers(1, 4))
        return b.binary("mul", x, b("reduce", x, b.ints(axis), kind=str(rng.choice(["mean", "max"])), keepdims=True))
    if kind == 8:
        return b("softmax", x, axis=int(rng.integers(1, 4)))
    if kind == 9:
        axis = int(rng.integers(1, 4))
        dim = x.shape[axis]
        if not isinstance(dim, int) or dim < 2:
            return None
        first, second = b.many(2, "split", x, axis=axis, sizes=[1, dim - 1])
        return b("concat", second, first, axis=axis)
    if kind == 10 and fixed:
        n, c, h, w = x.shape
        y = b.transpose(b.reshape(x, n, 2, c // 2, h, w), 0, 2, 1, 3, 4) if c % 2 == 0 else x
        return b.reshape(y, n, c, h, w)
    if kind == 11 and fixed:
        return b.reshape(b.unary("exp", b.reshape(x, x.shape[0], x.shape[1], -1)), *x.shape)
    if kind == 12:
        pads = [0, *rng.integers(0, 2, 3).tolist()] * 2
        y = b("pad", x, b.ints(*pads))
        ends = [p + d if isinstance(d, int) else 0 for p, d in zip(pads[:4], x.shape, strict=True)]
        return b("slice", y, b.ints(*pads[1:4]), b.ints(*ends[1:]), b.ints(1, 2, 3))
    if kind == 13 and isinstance(channels, int):
        return b("layer_norm", x, b.normal(channels), None)
    return None


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_network_keeps_its_results(seed, symbolic):
    b, outputs = random_network(seed, symbolic=symbolic)
    moved = sum(n.op == "transpose" for n in b.graph.nodes)
    ops = b.run(lambda g, o: len(pipeline.run(g)), outputs=outputs)
    assert ops.count("transpose") <= moved
    again, outputs = random_network(seed, symbolic=symbolic)
    again.graph.outputs = outputs
    pipeline.run(again.graph)
    assert str(again.graph) == str(b.graph)
