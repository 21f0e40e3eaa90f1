# SPDX-License-Identifier: Apache-2.0
"""Converters of operators whose operands are positions: gathers, scatters, updates, segments, ranges."""

from __future__ import annotations

import math

import numpy as np

from tealight.frontends.problems import RefusedError
from tealight.frontends.tflite.context import OperatorContext, same_params
from tealight.frontends.tflite.registry import converts
from tealight.ir.graph import Value
from tealight.ir.types import DType

#: Elements that an operator may spread a few into; more is a damaged shape.
_MOST_ELEMENTS = 1 << 26


@converts("GATHER", "EMBEDDING_LOOKUP")
def gather(c: OperatorContext) -> Value:
    """Elements at the indices of operand 1 along an axis; the first batch_dims dims go together."""
    if c.op == "EMBEDDING_LOOKUP":
        same = same_params(c.params(1), c.result_params())
        return c.add("gather", [c.stored(1) if same else c.real(1), c.stored(0)], {"axis": 0})
    x, indices = c.moved(), c.stored(1)
    rank, place = len(x.shape), len(indices.shape)
    axis, batch = c.axis(c.option("axis"), rank), int(c.option("batch_dims"))
    batch += place if batch < 0 else 0
    if not 0 <= batch <= min(axis, place):
        raise RefusedError(f"batch_dims {batch} before axis {axis}, expected at most that")
    if not batch:
        return c.add("gather", [x, indices], {"axis": axis})
    x = c.transpose(x, [*range(batch), axis, *range(batch, axis), *range(axis + 1, rank)])
    picks = c.reshape(indices, [*c.dims(indices, "the indices"), 1])
    y = c.add("gather_nd", [x, picks], {"batch_dims": batch})
    between, later = range(place, place + axis - batch), range(place + axis - batch, len(y.shape))
    return c.transpose(y, [*range(batch), *between, *range(batch, place), *later])


@converts("GATHER_ND")
def gather_nd(c: OperatorContext) -> Value:
    """Elements at index vectors."""
    return c.add("gather_nd", [c.moved(), c.stored(1)], {"batch_dims": 0})


@converts("SCATTER_ND")
def scatter_nd(c: OperatorContext) -> Value:
    """Zeros of the shape of operand 2, operand 1 added at the index vectors of operand 0."""
    updates = c.real(1)
    return c.add("scatter_nd", [_full(c, c.ints(2, "shape"), 0, updates), c.stored(0), updates], {"reduction": "add"})


@converts("SPARSE_TO_DENSE")
def sparse_to_dense(c: OperatorContext) -> Value:
    """A shape full of operand 3, with the values of operand 2 at index vectors."""
    dims, values, indices = c.ints(1, "shape"), c.real(2), c.stored(0)
    rank = len(dims)
    count = 1 if len(indices.shape) == 0 else c.dims(indices, "the indices")[0]
    if math.prod(dims) > _MOST_ELEMENTS:
        raise RefusedError(f"a result of shape {dims}, expected up to {_MOST_ELEMENTS} elements")
    filled = c.add("expand", [c.reshape(c.real(3), []), c.int64s(dims)])
    values = c.add("expand", [values, c.int64s([count])])
    return c.add("scatter_nd", [filled, c.reshape(indices, [count, rank]), values])


@converts(
    "SEGMENT_SUM", "UNSORTED_SEGMENT_SUM", "UNSORTED_SEGMENT_PROD", "UNSORTED_SEGMENT_MAX", "UNSORTED_SEGMENT_MIN"
)
def segments(c: OperatorContext) -> Value:
    """Combines the rows of x that have one number, at the row of that number; negative numbers count nowhere."""
    x, kind = c.real(0), c.op.rsplit("_", 1)[1].lower()
    dims = c.dims(x, "the operand")
    if c.op == "SEGMENT_SUM":
        count = max(c.ints(1, "numbers"), default=-1) + 1
    else:
        (count,) = c.ints(2, "count")
    numbers = c.cast(c.stored(1), DType.INT64)
    rank, info = len(numbers.shape), (np.finfo if x.dtype.is_float else np.iinfo)(x.dtype.numpy)
    start = {"sum": 0, "prod": 1, "max": info.min, "min": info.max}[kind]
    spare = c.add("where", [c.binary("less", numbers, c.int64s([0])), c.int64s([count]), numbers])
    picks = c.reshape(spare, [*dims[:rank], 1])
    reduction = {"sum": "add", "prod": "mul"}.get(kind, kind)
    y = c.add("scatter_nd", [_full(c, [count + 1, *dims[rank:]], start, x), picks, x], {"reduction": reduction})
    return c.slice(y, 0, 0, count)


@converts("DYNAMIC_UPDATE_SLICE")
def dynamic_update_slice(c: OperatorContext) -> Value:
    """X with a part replaced by operand 1, which begins at operand 2 or as far behind as it fits."""
    same = same_params(c.params(0), c.result_params()) and same_params(c.params(1), c.result_params())
    x, update = (c.stored(i) if same else c.real(i) for i in (0, 1))
    dims, sizes = c.dims(x, "the operand"), c.dims(update, "the update")
    if len(dims) != len(sizes) or any(s > d for s, d in zip(sizes, dims, strict=True)):
        raise RefusedError(f"an update of shape {sizes} for {dims}, expected a part of it")
    # From the last dim on that is not replaced as a whole, rows are.
    depth = max((i + 1 for i, (s, d) in enumerate(zip(sizes, dims, strict=True)) if s != d), default=0)
    if depth == 0:
        return update
    starts = c.slice(c.cast(c.stored(2), DType.INT64), 0, 0, depth)
    limits = c.int64s([d - s for s, d in zip(sizes[:depth], dims[:depth], strict=True)])
    starts = c.binary("min", c.binary("max", starts, c.int64s([0])), limits)
    grid = np.stack(np.meshgrid(*(np.arange(s) for s in sizes[:depth]), indexing="ij"), -1)
    return c.add("scatter_nd", [x, c.binary("add", c.constant(grid, "int64"), starts), update])


def _full(c: OperatorContext, dims: list[int], number: float, like: Value) -> Value:
    """Returns a shape full of one number, of the dtype of a value."""
    if min(dims, default=0) < 0 or math.prod(dims) > _MOST_ELEMENTS:
        raise RefusedError(f"a result of shape {dims}, expected up to {_MOST_ELEMENTS} elements")
    return c.add("expand", [c.constant(number, like.dtype.numpy), c.int64s(dims)])


# ---- positions and ranges ----


@converts("WHERE")
def where(c: OperatorContext) -> Value:
    """The index vectors [n, rank] of the elements other than 0."""
    return c.transpose(c.add("non_zero", [c.stored(0)]), [1, 0])


@converts("UNIQUE")
def unique(c: OperatorContext) -> list[Value]:
    """The different elements in order of appearance, and the place of each element among them."""
    y, _, places = c.emit("unique", [c.stored(0)], {"sorted": False}, outputs=3)
    return [y, c.cast(places, c.results[1].dtype or DType.INT32)]


@converts("RANGE")
def range_(c: OperatorContext) -> Value:
    """Numbers from operand 0 to operand 1 in steps of operand 2."""
    return c.add("range", [c.reshape(c.real(i), []) for i in range(3)])


@converts("BUCKETIZE")
def bucketize(c: OperatorContext) -> Value:
    """How many of the boundaries each element has reached."""
    x, bounds = c.cast(c.real(0), DType.FLOAT32), c.option("boundaries", None)
    reached = c.reshape(x, [*c.dims(x, "the operand"), 1])
    reached = c.binary("greater_or_equal", reached, c.constant([] if bounds is None else bounds, "float32"))
    ones = c.cast(reached, DType.INT32)
    return c.add("reduce", [ones, c.int64s([len(x.shape)])], {"kind": "sum", "keepdims": False})


@converts("BROADCAST_ARGS")
def broadcast_args(c: OperatorContext) -> Value:
    """The shape that two shapes broadcast to."""
    dims = np.broadcast_shapes(tuple(c.ints(0, "shape")), tuple(c.ints(1, "shape")))
    return c.constant(dims, (c.results[0].dtype or DType.INT32).numpy)


# ---- sequences and diagonals ----


@converts("REVERSE_SEQUENCE")
def reverse_sequence(c: OperatorContext) -> Value:
    """Turns the first elements of each sequence round, as many as operand 1 says."""
    x = c.moved()
    attrs = {"batch_axis": int(c.option("batch_dim")), "time_axis": int(c.option("seq_dim"))}
    return c.add("reverse_sequence", [x, c.cast(c.stored(1), DType.INT64)], attrs)


@converts("MATRIX_DIAG")
def matrix_diag(c: OperatorContext) -> Value:
    """Matrices with x on their diagonals, zeros elsewhere."""
    x = c.real(0)
    dims = c.dims(x, "the operand")
    zero = c.constant(0, x.dtype.numpy)
    return _with_diagonal(c, zero, x, [*dims, dims[-1]])


@converts("MATRIX_SET_DIAG")
def matrix_set_diag(c: OperatorContext) -> Value:
    """Matrices with other diagonals."""
    x = c.real(0)
    return _with_diagonal(c, x, c.real(1), c.dims(x, "the operand"))


def _with_diagonal(c: OperatorContext, x: Value, diagonal: Value, dims: list[int]) -> Value:
    rows, columns = dims[-2:]
    if math.prod(dims) > _MOST_ELEMENTS:
        raise RefusedError(f"a result of shape {dims}, expected up to {_MOST_ELEMENTS} elements")
    if columns > rows:
        pads = [*[0] * (2 * len(dims) - 3), columns - rows]
        diagonal = c.add("pad", [diagonal, c.int64s(pads)], {"mode": "constant"})
    diagonal = c.reshape(diagonal, [*dims[:-2], 1, columns])
    return c.add("where", [c.constant(np.eye(rows, columns), bool), diagonal, x])
