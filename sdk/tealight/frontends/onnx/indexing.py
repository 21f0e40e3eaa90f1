# SPDX-License-Identifier: Apache-2.0
"""Converters of gathers, scatters, sorting and ops whose result sizes depend on the data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tealight.frontends.onnx.context import NodeContext
from tealight.frontends.onnx.registry import converts
from tealight.ir.graph import Value
from tealight.ir.types import DType


@converts("Gather")
def gather(c: NodeContext) -> Value:
    """Gather."""
    return c.add("gather", [c.input(0), c.input(1)], {"axis": c.integer("axis", 0)})


@converts("GatherElements")
def gather_elements(c: NodeContext) -> Value:
    """GatherElements."""
    return c.add("gather_elements", [c.input(0), c.input(1)], {"axis": c.integer("axis", 0)})


@converts("GatherND")
def gather_nd(c: NodeContext) -> Value:
    """GatherND."""
    return c.add("gather_nd", [c.input(0), c.input(1)], {"batch_dims": c.integer("batch_dims", 0)})


@converts("ScatterElements", "Scatter")
def scatter_elements(c: NodeContext) -> Value:
    """ScatterElements, and its deprecated name."""
    attrs = {"axis": c.integer("axis", 0), "reduction": c.text("reduction", "none")}
    return c.add("scatter_elements", [c.input(0), c.input(1), c.input(2)], attrs)


@converts("ScatterND")
def scatter_nd(c: NodeContext) -> Value:
    """ScatterND."""
    return c.add("scatter_nd", [c.input(0), c.input(1), c.input(2)], {"reduction": c.text("reduction", "none")})


@converts("TopK")
def top_k(c: NodeContext) -> Sequence[Value]:
    """TopK; k is an attribute before opset 10."""
    k = c.input(1) if c.opset >= 10 else c.int64s([c.integer("k")])
    attrs = {
        "axis": c.integer("axis", -1),
        "largest": bool(c.integer("largest", 1)),
        "sorted": bool(c.integer("sorted", 1)),
    }
    return c.emit("top_k", [c.input(0), k], attrs, outputs=2)


@converts("OneHot")
def one_hot(c: NodeContext) -> Value:
    """OneHot."""
    indices, depth = c.input(0), c.input(1)
    if indices.dtype.is_float:
        indices = c.cast(indices, DType.INT64)
    if depth.dtype is not DType.INT64:
        depth = c.cast(depth, DType.INT64)
    return c.add("one_hot", [indices, depth, c.input(2)], {"axis": c.integer("axis", -1)})


@converts("NonZero")
def non_zero(c: NodeContext) -> Value:
    """NonZero."""
    return c.add("non_zero", [c.input(0)])


@converts("Compress")
def compress(c: NodeContext) -> Value:
    """Compress."""
    attrs = {"has_axis": c.has("axis"), "axis": c.integer("axis", 0)}
    return c.add("compress", [c.input(0), c.input(1)], attrs)


@converts("Unique")
def unique(c: NodeContext) -> Sequence[Value]:
    """Unique, with all its results."""
    attrs = {"has_axis": c.has("axis"), "axis": c.integer("axis", 0), "sorted": bool(c.integer("sorted", 1))}
    return c.emit("unique", [c.input(0)], attrs, outputs=4)


@converts("NonMaxSuppression")
def non_max_suppression(c: NodeContext) -> Value:
    """NonMaxSuppression."""
    operands = [c.input(0), c.input(1), c.optional(2), c.optional(3), c.optional(4)]
    return c.add("non_max_suppression", operands, {"center_point_box": bool(c.integer("center_point_box", 0))})


@converts("ReverseSequence")
def reverse_sequence(c: NodeContext) -> Value:
    """ReverseSequence."""
    attrs = {"batch_axis": c.integer("batch_axis", 1), "time_axis": c.integer("time_axis", 0)}
    return c.add("reverse_sequence", [c.input(0), c.input(1)], attrs)


@converts("TensorScatter", since=24)
def tensor_scatter(c: NodeContext) -> Value:
    """TensorScatter: writes a piece into each sample's cache from an index on, around its end when circular."""
    cache, update, start = c.input(0), c.input(1), c.optional(2)
    rank = len(cache.shape)
    axis = c.integer("axis", -2) % rank
    steps = c.static(update, axis, "length of the update")
    at = c.constant(np.arange(steps, dtype=np.int64).reshape([-1 if i == axis else 1 for i in range(rank)]))
    if start is not None:
        at = c.binary("add", c.reshape(c.cast(start, DType.INT64), [c.dim(start, 0), *[1] * (rank - 1)]), at)
    if c.text("mode", "linear") == "circular":
        at = c.binary("mod", at, c.constant(np.array(c.static(cache, axis, "length of the cache"), np.int64)))
    indices = c.add("expand", [at, c.shape_vector(c.dims(update))])
    return c.add("scatter_elements", [cache, indices, update], {"axis": axis, "reduction": "none"})
