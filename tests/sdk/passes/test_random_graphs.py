# SPDX-License-Identifier: Apache-2.0
"""The pipeline on random graphs: what they compute, their names and types stay; the same seed gives the same graph."""

from __future__ import annotations

from typing import Any

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


class Network:
    """Grows a channels-first network as a frontend would write it, with what exporters put between layers."""

    def __init__(self, seed: int) -> None:
        self.b = Build()
        self.b.spread = 0.4  # values stay in the range of float32 through all layers
        self.rng = self.b.rng = np.random.default_rng(seed)
        self.x = self.b.input(int(self.rng.integers(1, 3)), 4, 8, 8)
        self.earlier = [self.x]
        for _ in range(int(self.rng.integers(3, 14))):
            step = getattr(self, STEPS[int(self.rng.integers(len(STEPS)))])
            self.x = step(self.x)
            self.earlier.append(self.x)

    def finish(self) -> list[Value]:
        """Adds a head and returns the outputs."""
        b, head = self.b, int(self.rng.integers(4))
        n, c, h, w = (int(d) for d in self.x.shape)
        if head == 0:
            return [b.unary("sigmoid", self.x)]
        if head == 1:
            flat = b.reshape(self.x, n, c * h * w)
            return [b("softmax", b.dense(b.unary("relu", flat), 7), axis=1), flat][: int(self.rng.integers(1, 3))]
        if head == 2:
            mean = b("reduce", self.x, b.ints(2, 3), kind="mean", keepdims=bool(self.rng.integers(2)))
            return [b.binary("add", b("matmul", b.reshape(mean, n, c), b.normal(c, 5)), b.normal(5))]
        rows = b.reshape(b.transpose(self.x, 0, 2, 3, 1), n, h * w * c // 2, 2)
        return [b("concat", rows, b.unary("exp", rows), axis=1), b("arg_reduce", rows, axis=1, keepdims=False)]

    def channels_last(self, x: Value, layer: Any) -> Value:
        """Wraps a channels-last layer in transposes."""
        return self.b.transpose(layer(self.b.transpose(x, 0, 2, 3, 1)), 0, 3, 1, 2)

    def convolution(self, x: Value) -> Value:
        b, k = self.b, int(self.rng.choice([1, 3]))
        channels, pad = int(self.rng.choice([4, 6, 8])), k // 2
        if self.rng.random() < 0.3 and k == 3:
            x, pad = b("pad", x, b.ints(0, 0, 1, 1, 0, 0, 1, 1)), 0
        return self.channels_last(x, lambda v: b.conv(v, channels, k=k, pad=pad))

    def depthwise(self, x: Value) -> Value:
        weight = self.b.normal(int(x.shape[1]), 3, 3)
        attrs = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [1, 1], "dilations": [1, 1]}
        return self.channels_last(x, lambda v: self.b("depthwise_conv2d", v, weight, **attrs))

    def normalization(self, x: Value) -> Value:
        c = int(x.shape[1])
        return self.b.binary("add", self.b.binary("mul", x, self.b.normal(c, 1, 1)), self.b.normal(1, c, 1, 1))

    def activation(self, x: Value) -> Value:
        b, kind = self.b, int(self.rng.integers(4))
        if kind == 0:
            return b.binary("mul", x, b.unary("sigmoid", x))
        if kind == 1:
            gate = b.unary("clip", b.binary("add", x, 3.0), alpha=0.0, beta=6.0)
            return b.binary("div", b.binary("mul", x, gate), 6.0)
        if kind == 2:
            return b.binary("min", b.binary("max", x, 0.0), 6.0)
        return b("where", b.binary("less", x, 0.0), b.binary("mul", x, 0.1), x)

    def residual(self, x: Value) -> Value:
        same = [v for v in self.earlier if v.shape == x.shape]
        return self.b.binary("add", x, same[int(self.rng.integers(len(same)))])

    def squeeze_and_excite(self, x: Value) -> Value:
        b, c = self.b, int(x.shape[1])
        mean = b("reduce", x, b.ints(-1, -2), kind="mean", keepdims=True)
        gate = self.channels_last(mean, lambda v: b.conv(v, c, k=1, pad=0))
        return b.binary("mul", x, b.unary("hard_sigmoid", gate, alpha=0.2, beta=0.5))

    def pool(self, x: Value) -> Value:
        op = str(self.rng.choice(["max_pool2d", "average_pool2d"]))
        attrs = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [1, 1], "dilations": [1, 1]}
        return self.channels_last(x, lambda v: self.b(op, v, **attrs))

    def shuffle(self, x: Value) -> Value:
        n, c, h, w = (int(d) for d in x.shape)
        return self.b.reshape(self.b.transpose(self.b.reshape(x, n, 2, c // 2, h, w), 0, 2, 1, 3, 4), n, c, h, w)

    def halves(self, x: Value) -> Value:
        b, c = self.b, int(x.shape[1])
        if self.rng.random() < 0.5:
            first, second = b.many(2, "split", x, axis=1, sizes=[c // 2, c - c // 2])
        else:
            first = b("slice", x, b.ints(0), b.ints(c // 2), b.ints(1))
            second = b("slice", x, b.ints(c // 2), b.ints(2**62), b.ints(1))
        return b("concat", second, b.unary("tanh", first), axis=1)

    def scale_up_and_down(self, x: Value) -> Value:
        b, (n, c, h, w) = self.b, (int(d) for d in x.shape)
        y = b.reshape(b.transpose(b.reshape(x, n, c, h // 2, 2, w // 2, 2), 0, 1, 3, 5, 2, 4), n, c * 4, h // 2, w // 2)
        y = b.unary("relu", y)
        return b.reshape(b.transpose(b.reshape(y, n, c, 2, 2, h // 2, w // 2), 0, 1, 4, 2, 5, 3), n, c, h, w)

    def attention(self, x: Value) -> Value:
        b, (n, c, h, w) = self.b, (int(d) for d in x.shape)
        rows = b.transpose(b.reshape(x, n, c, h * w), 0, 2, 1)
        packed = b.binary("add", b("matmul", rows, b.normal(c, 3 * 64)), b.normal(3 * 64))
        heads = b.transpose(b.reshape(packed, n, h * w, 3, 2, 32), 2, 0, 3, 1, 4)
        q, k, v = (b("gather", heads, b.const(i, np.int64), axis=0) for i in range(3))
        scores = b("matmul", b.binary("mul", q, 0.1), b.transpose(k, 0, 1, 3, 2))
        y = b("matmul", b("softmax", scores, axis=-1), v)
        y = b("matmul", b.reshape(b.transpose(y, 0, 2, 1, 3), n, h * w, 64), b.normal(64, c))
        return b.binary("add", b.reshape(b.transpose(y, 0, 2, 1), n, c, h, w), x)


STEPS = [n for n in vars(Network) if not n.startswith("_") and n not in ("finish", "channels_last")]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_vision_network_keeps_its_results(seed):
    network = Network(seed)
    outputs = network.finish()
    moved = sum(n.op == "transpose" for n in network.b.graph.nodes)
    ops = network.b.run(lambda g, o: len(pipeline.run(g)), outputs=outputs, scaled=True)
    assert ops.count("transpose") <= moved and "matmul" not in ops


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


@pytest.mark.parametrize("seed", range(40))
def test_some_passes_in_any_order_keep_the_results(seed):
    """No pass relies on what another has done before: it only finds less without."""
    if seed % 2:
        network = Network(seed)
        b, outputs = network.b, network.finish()
    else:
        b, outputs = random_network(seed, symbolic=seed % 4 == 0)
    rng = np.random.default_rng(seed)
    order = [pipeline.PIPELINE[i] for i in rng.permutation(len(pipeline.PIPELINE))]
    done = pipeline.PIPELINE if seed % 3 else []  # what is fused already meets the passes that look for single nodes
    b.run(*done, *order[: int(rng.integers(5, 30))], outputs=outputs, scaled=True)
