# SPDX-License-Identifier: Apache-2.0
"""Which channels can be scaled without changing what a graph computes, what is known of them, and how to scale them.

A link is a layer (the producer) whose output channel c can be divided by s[c], because everything that reads it can be
multiplied by s[c] instead: y = W2 act(W1 x) = (W2 s) act((W1 / s) x) for activations with act(a x) = a act(x), a > 0.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tealight.ir.graph import Graph, Node, Value
from tealight.passes._editor import is_plain, known
from tealight.quant.calibrate import Runner

#: Ops that keep channels apart and commute with a positive factor.
_THROUGH = ("max_pool2d", "average_pool2d", "resize", "reshape", "reduce")
_LAYERS = ("conv2d", "depthwise_conv2d", "fully_connected")


@dataclasses.dataclass
class Link:
    """A producer whose channels can be scaled.

    Attributes:
        producer: conv2d, depthwise_conv2d, fully_connected or layer_norm.
        value: Its result, behind the activation.
        consumers: Layers that read it, perhaps through pooling.
        limit: Upper bound of a clip between; infinite without one.
    """

    producer: Node
    value: Value
    consumers: list[Node]
    limit: float = np.inf

    @property
    def channels(self) -> int:
        """How many channels it has."""
        return int(self.value.shape[-1])


@dataclasses.dataclass
class ChannelStatistics:
    """What is known of the channels (last dim) of a value: float64 [c] each.

    Attributes:
        low: Least number of each channel, at most 0.
        high: Greatest, at least 0.
        power: Mean square; NaN or infinite once a number was.
        count: Numbers of a channel so far.
    """

    low: np.ndarray
    high: np.ndarray
    power: np.ndarray
    count: int = 0

    @classmethod
    def of(cls, channels: int) -> ChannelStatistics:
        """Returns those of nothing yet."""
        return cls(np.zeros(channels), np.zeros(channels), np.zeros(channels))

    def update(self, array: np.ndarray) -> None:
        """Adds the numbers of one run."""
        rows = array.reshape(-1, self.low.size).astype(np.float64)
        if not len(rows):
            return
        self.low, self.high = np.minimum(self.low, rows.min(0)), np.maximum(self.high, rows.max(0))
        total = self.count + len(rows)
        with np.errstate(invalid="ignore"):
            self.power += ((rows * rows).mean(0) - self.power) * (len(rows) / total)
        self.count = total

    @property
    def bound(self) -> np.ndarray:
        """Greatest magnitude of each channel."""
        return np.asarray(np.maximum(-self.low, self.high))


def find_links(graph: Graph, producers: Sequence[str]) -> list[Link]:
    """Returns the links whose producer is one of some ops, in the order of the graph (activations not fused)."""
    users = graph.users()
    outputs = set(graph.outputs)
    links = []
    for node in graph.nodes:
        value = node.outputs[0] if node.op in producers and _scales(node) else None
        if value is None or not isinstance(value.shape[-1], int):
            continue
        value, limit = _behind_activation(value, users)
        consumers = _consumers(value, users, outputs)
        if consumers:
            links.append(Link(node, value, consumers, limit))
    return links


def _scales(node: Node) -> bool:
    """Whether the channels of a producer can be scaled by its constants."""
    if node.op == "layer_norm":
        last = len(node.outputs[0].shape) - 1 if node.outputs[0] is not None else 0
        return node.attrs["axis"] in (-1, last) and all(v is None or v.is_const for v in node.inputs[1:])
    weight, bias = node.input(1), node.input(2)
    constant = (
        weight is not None and weight.const is not None and weight.const.size > 0 and (bias is None or bias.is_const)
    )
    return constant and node.input(3) is None and is_plain(node)


def _behind_activation(value: Value, users: Mapping[Value, list[Node]]) -> tuple[Value, float]:
    """Returns the value behind the activations that read a value alone, and the least upper bound of clips."""
    limit = np.inf
    while len(users.get(value, [])) == 1:
        node = users[value][0]
        y = node.outputs[0]
        if node.op != "unary" or y is None:
            break
        if node.attrs["kind"] == "clip" and node.attrs["alpha"] == 0:
            limit = min(limit, float(node.attrs["beta"]))
        elif node.attrs["kind"] not in ("relu", "leaky_relu"):
            break
        value = y
    return value, limit


def _consumers(value: Value, users: Mapping[Value, list[Node]], outputs: set[Value]) -> list[Node]:
    """Returns the layers that read a value; none when something else does."""
    found: list[Node] = []
    waiting = [value]
    while waiting:
        v = waiting.pop()
        readers = users.get(v, [])
        if v in outputs or not readers:
            return []
        for node in readers:
            if node.op in _LAYERS:
                weight = node.inputs[1]
                if sum(i is v for i in node.inputs) != 1 or node.inputs[0] is not v:
                    return []
                if weight is None or not weight.is_const or int(node.attrs.get("group", 1)) != 1:
                    return []
                found.append(node)
            elif _passes(node, v) and node.outputs[0] is not None:
                waiting.append(node.outputs[0])
            else:
                return []
    return found


def _passes(node: Node, value: Value) -> bool:
    """Whether a node keeps channels in the last dim (a reshape may repeat them in order)."""
    out = node.outputs[0]
    if node.op not in _THROUGH or node.inputs[0] is not value or out is None or not out.shape:
        return False
    before, after = value.shape[-1], out.shape[-1]
    if not isinstance(before, int) or not isinstance(after, int):
        return False
    if node.op == "reshape":
        return after % before == 0
    if node.op == "reduce":
        axes = None if node.input(1) is None else known(node.inputs[1])
        spatial = axes is not None and len(value.shape) - 1 not in [int(a) % len(value.shape) for a in axes.reshape(-1)]
        return node.attrs["kind"] in ("mean", "sum", "max") and spatial and before == after
    return before == after


def channel_statistics(
    graph: Graph, links: Sequence[Link], samples: Iterable[Mapping[str, np.ndarray]]
) -> dict[str, ChannelStatistics]:
    """Returns the statistics of each link's value by its name."""
    found = {link.value.name: ChannelStatistics.of(link.channels) for link in links}
    runner = Runner(graph, list(found))
    try:
        for sample in samples:
            results = runner.run(sample)
            for name, statistics in found.items():
                statistics.update(results[name])
    finally:
        runner.close()
    return found


@dataclasses.dataclass(frozen=True)
class Reader:
    """How a layer reads the channels of its input.

    Attributes:
        weight: float64 [o, taps, c].
        depthwise: Whether each channel has outputs of its own: o = 1 then, and a weight scale is a channel's.
    """

    weight: np.ndarray
    depthwise: bool

    @classmethod
    def of(cls, node: Node, channels: int) -> Reader:
        """Returns that of a consumer of c channels (a reshape before it may have repeated them)."""
        weight = _array(node.inputs[1])
        if node.op == "depthwise_conv2d":
            return cls(weight.reshape(1, channels, -1).swapaxes(1, 2), True)
        return cls(weight.reshape(weight.shape[0], -1, channels), False)

    @property
    def bound(self) -> np.ndarray:
        """Greatest magnitude of the weights of each channel, [c]."""
        return np.asarray(np.abs(self.weight).max(axis=(0, 1)))


def scale_link(graph: Graph, link: Link, factors: np.ndarray) -> None:
    """Divides the producer's channels by factors [c] and multiplies the consumers' weights by them."""
    s = factors.astype(np.float64)
    node = link.producer
    if node.op == "layer_norm":
        scale = np.ones(link.channels) if node.input(1) is None else _array(node.inputs[1])
        set_constant(graph, node, 1, scale / s.reshape(scale.shape), f"{node.name}.scale")
    else:
        weight = _array(node.inputs[1])
        set_constant(graph, node, 1, weight / s.reshape(-1, *[1] * (weight.ndim - 1)), "weight")
    bias = node.input(2)
    if bias is not None:
        set_constant(graph, node, 2, _array(bias) / s.reshape(_array(bias).shape), "bias")
    for consumer in link.consumers:
        weight = _array(consumer.inputs[1])
        if consumer.op == "depthwise_conv2d":
            set_constant(graph, consumer, 1, weight * s.reshape(-1, *[1] * (weight.ndim - 1)), "weight")
        else:
            set_constant(graph, consumer, 1, weight * np.tile(s, weight.shape[-1] // s.size), "weight")


def _array(value: Value | None) -> np.ndarray:
    assert value is not None and value.const is not None
    return value.const.astype(np.float64)


def set_constant(graph: Graph, node: Node, i: int, array: np.ndarray, name: str) -> None:
    """Makes operand i of a node a new constant of its own, float32 (an old one may be shared)."""
    node.inputs = [*node.inputs, *[None] * (i + 1 - len(node.inputs))]
    old = node.inputs[i]
    node.inputs[i] = graph.constant(np.ascontiguousarray(array, np.float32), name if old is None else old.name)
