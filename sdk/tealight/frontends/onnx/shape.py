# SPDX-License-Identifier: Apache-2.0
"""Converters of ops that make, move and reshape tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tealight.frontends.onnx import reader
from tealight.frontends.onnx.context import (
    DimOf,
    NodeContext,
    RefusedError,
    SequenceValue,
    ShapeItem,
    dtype_of,
    internal_dtype,
    refine,
)
from tealight.frontends.onnx.registry import converts
from tealight.ir.graph import Value
from tealight.ir.types import Dim, DType

# ---- constants ----


@converts("Constant")
def constant(c: NodeContext) -> Value:
    """Constant in each of its forms."""
    for key, dtype in (("value_float", np.float32), ("value_floats", np.float32), ("value_int", np.int64),
                       ("value_ints", np.int64)):  # fmt: skip
        if c.has(key):
            return c.constant(np.array(c.attrs[key], dtype))
    if c.has("value"):
        return c.scope.constant(reader.array_of(c.attrs["value"]), c.name)
    if c.has("sparse_value"):
        return c.scope.constant(reader.dense_of(c.attrs["sparse_value"]), c.name)
    raise RefusedError(f"value of kind {sorted(c.attrs)}, expected numbers")


@converts("ConstantOfShape")
def constant_of_shape(c: NodeContext) -> Value:
    """ConstantOfShape; zeros of float32 by default."""
    shape = c.input(0)
    fill = reader.array_of(c.attrs["value"]) if c.has("value") else np.zeros(1, np.float32)
    value = c.scope.constant(fill.reshape(1), c.name)
    y = c.add("constant_of_shape", [shape, value])
    return refine(y, _known_dims(c, shape))


@converts("Range")
def arange(c: NodeContext) -> Value:
    """Range; operands of rank 1 with one element are taken as scalars."""
    operands = [c.reshape(c.input(i), []) if c.input(i).shape else c.input(i) for i in range(3)]
    return c.add("range", operands)


@converts("EyeLike")
def eye_like(c: NodeContext) -> Value:
    """EyeLike."""
    x = c.input(0)
    dtype = internal_dtype(dtype_of(c.integer("dtype"))) if c.has("dtype") else x.dtype
    return c.add("eye_like", [x], {"k": c.integer("k", 0), "dtype": dtype.value})


@converts("Shape")
def shape(c: NodeContext) -> Value:
    """Shape, sliced since opset 15; a constant where the dims are known."""
    x = c.input(0)
    rank = len(x.shape)
    start, end, _ = slice(c.integer("start", 0), c.integer("end", rank)).indices(rank)
    dims = x.shape[start:end]
    if all(isinstance(d, int) for d in dims):
        return c.int64s([int(d) for d in dims])
    return c.add("shape", [x], {"start": start, "end": end})


@converts("Size")
def size(c: NodeContext) -> Value:
    """Size."""
    x = c.input(0)
    if x.type.is_static:
        return c.constant(np.array(x.type.elements, np.int64))
    return c.add("size", [x])


# ---- reshapes ----


def _known_dims(c: NodeContext, shape: Value) -> list[Dim | None]:
    """Returns the dims that a shape operand gives; None where it is not known."""
    known = c.scope.knowledge.get(shape)
    if known is None:
        return []
    return [d if isinstance(d, int | str) else None for d in known.tolist()]


@converts("Reshape")
def reshape_v1(c: NodeContext) -> Value:
    """Reshape to the shape of an attribute."""
    return c.add("reshape", [c.input(0), c.int64s(c.integers("shape"))], {"allow_zero": False})


@converts("Reshape", since=5)
def reshape_v5(c: NodeContext) -> Value:
    """Reshape to the shape of an operand, simplified where that is computed from shapes."""
    x, target = c.input(0), c.input(1)
    allow_zero = bool(c.integer("allowzero", 0))
    if target.const is not None:
        wanted = [int(v) for v in target.const.reshape(-1)]
        return c.add("reshape", [x, c.int64s(wanted)], {"allow_zero": allow_zero})
    known = _known_dims(c, target)
    plain: list[int | None] = []
    for i, d in enumerate(known):
        if isinstance(d, str) and i < len(x.shape) and x.shape[i] == d and not allow_zero:
            plain.append(0)
        else:
            plain.append(d if isinstance(d, int) else None)
    if plain and plain.count(None) + plain.count(-1) <= 1:
        y = c.add("reshape", [x, c.int64s([-1 if p is None else p for p in plain])], {"allow_zero": allow_zero})
    else:
        y = c.add("reshape", [x, c.cast(target, DType.INT64)], {"allow_zero": allow_zero})
    dims: list[Dim | None] = []
    for i, d in enumerate(known):
        if d == 0 and not allow_zero:
            d = x.shape[i] if i < len(x.shape) else None
        dims.append(None if isinstance(d, int) and d < 0 else d)
    return refine(y, dims)


@converts("Flatten")
def flatten(c: NodeContext) -> Value:
    """Flatten to a matrix."""
    x = c.input(0)
    rank = len(x.shape)
    axis = c.integer("axis", 1)
    axis += rank if axis < 0 else 0
    if not 0 <= axis <= rank:
        raise RefusedError(f"axis {axis}, expected one in [0, {rank}]")
    head, tail = (_product(c.dims(x)[:axis]), _product(c.dims(x)[axis:]))
    if head is not None:
        return c.reshape(x, [head, -1 if tail is None or not isinstance(tail, int) else tail])
    if tail is not None:
        return c.reshape(x, [-1, tail])
    vector = c.add("shape", [x], {"start": 0, "end": axis})
    rows = c.reduce("prod", vector, [0])
    return c.add("reshape", [x, c.concat([rows, c.int64s([-1])], 0)], {"allow_zero": False})


def _product(items: Sequence[ShapeItem]) -> ShapeItem | None:
    """Returns the product of sizes where it needs no computation."""
    dynamic = [i for i in items if isinstance(i, DimOf)]
    number = int(np.prod([i for i in items if isinstance(i, int)], dtype=np.int64))
    if not dynamic:
        return number
    return dynamic[0] if len(dynamic) == 1 and number == 1 else None


def _axes(c: NodeContext, since: int) -> list[int] | None:
    """Returns the axes attribute, or the axes operand of newer opsets."""
    if c.opset >= since:
        return None if c.optional(1) is None else c.known_ints(1, "axes")
    return c.integers("axes") if c.has("axes") else None


@converts("Squeeze")
def squeeze(c: NodeContext) -> Value:
    """Squeeze; without axes, of every dim of 1."""
    x = c.input(0)
    axes = _axes(c, 13)
    if axes is None:
        for d in x.shape:
            if isinstance(d, str):
                raise RefusedError(f"no axes for shape {list(x.shape)}, expected axes where dims are dynamic")
        axes = [i for i, d in enumerate(x.shape) if d == 1]
    return c.squeeze(x, axes)


@converts("Unsqueeze")
def unsqueeze(c: NodeContext) -> Value:
    """Unsqueeze."""
    axes = _axes(c, 13)
    if axes is None:
        raise RefusedError("axes are missing, expected them")
    return c.unsqueeze(c.input(0), axes)


@converts("Identity")
def identity(c: NodeContext) -> Value | SequenceValue:
    """Identity is nothing."""
    value = c.inputs[0]
    return value if isinstance(value, SequenceValue) else c.input(0)


@converts("Transpose")
def transpose(c: NodeContext) -> Value:
    """Transpose; without perm, of all axes."""
    x = c.input(0)
    return c.transpose(x, c.integers("perm", list(range(len(x.shape)))[::-1]))


@converts("Expand")
def expand(c: NodeContext) -> Value:
    """Expand, with a constant shape where the dynamic dims are those of the input."""
    x, target = c.input(0), c.input(1)
    known = _known_dims(c, target)
    if target.const is None and known:
        offset = len(known) - len(x.shape)
        plain = [
            1 if isinstance(d, str) and i >= offset and x.shape[i - offset] == d else d for i, d in enumerate(known)
        ]
        if all(isinstance(d, int) for d in plain):
            return c.add("expand", [x, c.int64s([int(d) for d in plain if d is not None])])
        y = c.add("expand", [x, target])
        return refine(y, [d if d != 1 else None for d in known] if offset >= 0 else [])
    return c.add("expand", [x, target])


@converts("Tile")
def tile_v1(c: NodeContext) -> Value:
    """Tile along one axis."""
    x = c.input(0)
    times, axis = c.known_ints(1, "tiles")[0], c.known_ints(2, "axis")[0]
    repeats = [1] * len(x.shape)
    repeats[axis] = times
    return c.add("tile", [x, c.int64s(repeats)])


@converts("Tile", since=6)
def tile_v6(c: NodeContext) -> Value:
    """Tile."""
    return c.add("tile", [c.input(0), c.input(1)])


# ---- join, cut, pad ----


@converts("Concat")
def concat(c: NodeContext) -> Value:
    """Concat."""
    return c.concat([c.input(i) for i in range(len(c.inputs))], c.integer("axis", 1 if c.opset < 4 else None))


@converts("Split")
def split(c: NodeContext) -> Sequence[Value]:
    """Split by given sizes, or evenly with a smaller last part."""
    x = c.input(0)
    axis = c.integer("axis", 0) % len(x.shape)
    count = len(c.wanted)
    sizes: list[int] | None = None
    if c.opset >= 13 or (c.opset < 2 and c.optional(1) is not None):
        sizes = None if c.optional(1) is None else c.known_ints(1, "split")
    elif c.has("split"):
        sizes = c.integers("split")
    if sizes is None:
        total = c.static(x, axis, "size of the split axis")
        part = -(-total // c.integer("num_outputs", count))
        sizes = [min(part, max(total - i * part, 0)) for i in range(count)]
    if count == 1 and sizes == [x.shape[axis]]:
        return [x]
    return c.emit("split", [x], {"axis": axis, "sizes": sizes}, outputs=len(sizes))


@converts("Slice")
def slice_v1(c: NodeContext) -> Value:
    """Slice by attributes."""
    starts, ends = c.integers("starts"), c.integers("ends")
    axes = c.integers("axes", list(range(len(starts))))
    return c.add("slice", [c.input(0), c.int64s(starts), c.int64s(ends), c.int64s(axes), None])


@converts("Slice", since=10)
def slice_v10(c: NodeContext) -> Value:
    """Slice by operands."""
    operands = [c.input(0), c.input(1), c.input(2), c.optional(3), c.optional(4)]
    return c.add("slice", operands)


@converts("Pad")
def pad_v1(c: NodeContext) -> Value:
    """Pad by attributes."""
    pads = c.integers("paddings" if c.has("paddings") else "pads")
    return _pad(c, c.input(0), c.int64s(pads), c.scalar(c.number("value", 0.0), c.input(0)), None)


@converts("Pad", since=11)
def pad_v11(c: NodeContext) -> Value:
    """Pad by operands."""
    return _pad(c, c.input(0), c.input(1), c.optional(2), c.optional(3))


def _pad(c: NodeContext, x: Value, pads: Value, value: Value | None, axes: Value | None) -> Value:
    mode = c.text("mode", "constant")
    if pads.const is not None and not pads.const.any():
        return x
    return c.add("pad", [x, pads, value if mode == "constant" else None, axes], {"mode": mode})


# ---- depth and space ----


@converts("DepthToSpace")
def depth_to_space(c: NodeContext) -> Value:
    """DepthToSpace in both orders, on the channels-last image."""
    x, b = c.to_last(c.input(0)), c.integer("blocksize")
    n, h, w, _ = c.dims(x)
    inner = c.static(x, 3, "number of channels") // (b * b)
    if c.text("mode", "DCR") == "DCR":
        split, perm = [n, h, w, b, b, inner], [0, 1, 3, 2, 4, 5]
    else:
        split, perm = [n, h, w, inner, b, b], [0, 1, 4, 2, 5, 3]
    apart = c.transpose(c.reshape(x, split), perm)
    return c.to_first(c.reshape(apart, [n, c.scaled(x, 1, times=b), c.scaled(x, 2, times=b), inner]))


@converts("SpaceToDepth")
def space_to_depth(c: NodeContext) -> Value:
    """SpaceToDepth, on the channels-last image; opset 28 has two orders."""
    x, b = c.to_last(c.input(0)), c.integer("blocksize")
    n, _, _, channels = c.dims(x)
    h, w = c.scaled(x, 1, over=b), c.scaled(x, 2, over=b)
    apart = c.reshape(x, [n, h, b, w, b, channels])
    perm = [0, 1, 3, 2, 4, 5] if c.text("mode", "DCR") == "DCR" else [0, 1, 3, 5, 2, 4]
    deep = c.scaled(x, 3, times=b * b)
    return c.to_first(c.reshape(c.transpose(apart, perm), [n, h, w, deep]))


@converts("Trilu")
def trilu(c: NodeContext) -> Value:
    """Trilu."""
    operands = [c.input(0)] if c.optional(1) is None else [c.input(0), c.optional(1)]
    return c.add("trilu", operands, {"upper": bool(c.integer("upper", 1))})
