# SPDX-License-Identifier: Apache-2.0
"""Converters of sequences whose lengths are known: they exist only while importing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tealight.frontends.onnx.context import NodeContext, RefusedError, SequenceValue
from tealight.frontends.onnx.registry import converts
from tealight.ir.graph import Value


def _items(c: NodeContext) -> list[Value]:
    value = c.inputs[0]
    if not isinstance(value, SequenceValue):
        raise RefusedError("a tensor where a sequence is expected, expected a sequence")
    return list(value.items)


def _position(c: NodeContext, i: int, length: int, default: int, *, end: int = 0) -> int:
    """Returns operand i as a position in [0, length + end); negative ones count from the length."""
    at = default if c.optional(i) is None else c.known_ints(i, "position")[0]
    at += length if at < 0 else 0
    if not 0 <= at < length + end:
        raise RefusedError(f"position {at} in a sequence of {length}, expected one inside")
    return at


@converts("SequenceConstruct", since=11)
def construct(c: NodeContext) -> SequenceValue:
    """SequenceConstruct."""
    return SequenceValue(tuple(c.input(i) for i in range(len(c.inputs))))


@converts("SequenceEmpty", since=11)
def empty(c: NodeContext) -> SequenceValue:
    """SequenceEmpty."""
    return SequenceValue(())


@converts("SequenceInsert", since=11)
def insert(c: NodeContext) -> SequenceValue:
    """SequenceInsert; at the end by default."""
    items = _items(c)
    items.insert(_position(c, 2, len(items), len(items), end=1), c.input(1))
    return SequenceValue(tuple(items))


@converts("SequenceErase", since=11)
def erase(c: NodeContext) -> SequenceValue:
    """SequenceErase; the last one by default."""
    items = _items(c)
    del items[_position(c, 1, len(items), len(items) - 1)]
    return SequenceValue(tuple(items))


@converts("SequenceAt", since=11)
def at(c: NodeContext) -> Value:
    """SequenceAt."""
    items = _items(c)
    return items[_position(c, 1, len(items), 0)]


@converts("SequenceLength", since=11)
def length(c: NodeContext) -> Value:
    """SequenceLength is known."""
    return c.constant(np.array(len(_items(c)), np.int64))


@converts("ConcatFromSequence", since=11)
def concat(c: NodeContext) -> Value:
    """ConcatFromSequence: joined along an axis, or stacked along a new one."""
    items, axis = _items(c), c.integer("axis")
    if not items:
        raise RefusedError("an empty sequence, expected at least one tensor")
    if c.integer("new_axis", 0):
        items = [c.unsqueeze(v, [axis]) for v in items]
    return c.concat(items, axis % len(items[0].shape))


@converts("SplitToSequence", since=11)
def split(c: NodeContext) -> SequenceValue:
    """SplitToSequence into single slices, equal parts, or parts of given sizes."""
    x = c.input(0)
    axis = c.integer("axis", 0) % len(x.shape)
    total = c.static(x, axis, "size of the split axis")
    if c.optional(1) is None:
        parts: Sequence[Value] = _cut(c, x, axis, [1] * total)
        return SequenceValue(tuple(parts if c.integer("keepdims", 1) else [c.squeeze(p, [axis]) for p in parts]))
    given = c.array(1, "split")
    if given.ndim:
        return SequenceValue(tuple(_cut(c, x, axis, [int(v) for v in given])))
    size = int(given)
    if size < 1:
        raise RefusedError(f"split {size}, expected a positive size")
    return SequenceValue(tuple(_cut(c, x, axis, [min(size, total - i) for i in range(0, total, size)])))


def _cut(c: NodeContext, x: Value, axis: int, sizes: list[int]) -> list[Value]:
    return [x] if len(sizes) == 1 else c.emit("split", [x], {"axis": axis, "sizes": sizes}, outputs=len(sizes))
