# SPDX-License-Identifier: Apache-2.0
"""Converters of operators that move elements: shapes, slices, concatenations, padding, resizing."""

from __future__ import annotations

import math

import numpy as np

from tealight.frontends.problems import RefusedError
from tealight.frontends.tflite.context import OperatorContext, same_params
from tealight.frontends.tflite.registry import converts
from tealight.ir.graph import Value
from tealight.ir.types import DType

_END = 2**31 - 1
#: Elements of a dim that is mirrored by a list of indices.
_MOST_MIRRORED = 1 << 20


@converts("RESHAPE")
def reshape(c: OperatorContext) -> Value:
    """The same elements in the shape of operand 1, or of the options."""
    if c.is_complex(0):
        return c.reshape(c.parts(0), [*(c.ints(1, "shape") if c.has(1) else c.option("new_shape", [])), 2])
    x = c.moved()
    if not c.has(1):
        return c.reshape(x, [int(d) for d in c.option("new_shape", [])])
    shape = c.stored(1)
    if shape.is_const or c.emitter.knowledge.get(shape) is None:
        if not shape.is_const:
            return c.add("reshape", [x, shape], {"allow_zero": True})
        return c.reshape(x, c.ints(1, "shape"))
    return c.add("reshape", [x, shape], {"allow_zero": True})


@converts("SQUEEZE")
def squeeze(c: OperatorContext) -> Value:
    """Drops dims of one."""
    x, behind = (c.parts(0), [2]) if c.is_complex(0) else (c.moved(), [])
    dims, given = c.dims(x, "the operand"), c.option("squeeze_dims", None)
    dims = dims[: len(dims) - len(behind)]
    drop = {c.axis(d, len(dims)) for d in given} if given is not None and len(given) else None
    kept = [d for i, d in enumerate(dims) if (d != 1 if drop is None else i not in drop)]
    return c.reshape(x, [*kept, *behind])


@converts("EXPAND_DIMS")
def expand_dims(c: OperatorContext) -> Value:
    """Inserts a dim of one."""
    x, (axis,) = c.moved(), c.ints(1, "axis")
    dims = c.dims(x, "the operand")
    axis = c.axis(axis, len(dims) + 1)
    return c.reshape(x, [*dims[:axis], 1, *dims[axis:]])


@converts("TRANSPOSE")
def transpose(c: OperatorContext) -> Value:
    """Permutes the dims."""
    return c.transpose(c.moved(), c.ints(1, "permutation"))


@converts("CONCATENATION")
def concatenation(c: OperatorContext) -> Value:
    """Joins along an axis; integers of one quantization as they are."""
    every = range(len(c.operands))
    stays = not c.option("activation") and all(same_params(c.params(i), c.result_params()) for i in every)
    values = [c.stored(i) if stays else c.real(i) for i in every]
    axis = c.axis(c.option("axis"), max(len(values[0].shape), 1))
    return c.activated(values[0] if len(values) == 1 else c.add("concat", values, {"axis": axis}))


@converts("PACK")
def pack(c: OperatorContext) -> Value:
    """Joins along a new axis."""
    every = range(len(c.operands))
    stays = all(same_params(c.params(i), c.result_params()) for i in every)
    values = [c.stored(i) if stays else c.real(i) for i in every]
    dims = c.dims(values[0], "the operand")
    axis = c.axis(c.option("axis"), len(dims) + 1)
    values = [c.reshape(v, [*dims[:axis], 1, *dims[axis:]]) for v in values]
    return values[0] if len(values) == 1 else c.add("concat", values, {"axis": axis})


@converts("UNPACK")
def unpack(c: OperatorContext) -> list[Value]:
    """Takes an axis apart."""
    x = _all_moved(c, 0)
    dims = c.dims(x, "the operand")
    axis = c.axis(c.option("axis"), len(dims))
    if dims[axis] != len(c.results):
        raise RefusedError(f"{len(c.results)} results for {list(dims)} along dim {axis}, expected one for each index")
    parts = _split(c, x, axis, [1] * dims[axis])
    return [c.reshape(p, [*dims[:axis], *dims[axis + 1 :]]) for p in parts]


@converts("SPLIT", "SPLIT_V")
def split(c: OperatorContext) -> list[Value]:
    """Cuts along an axis into equal parts, or into those of operand 1."""
    even = c.op == "SPLIT"
    x, axis = _all_moved(c, 1 if even else 0), c.ints(0 if even else 2, "axis")[0]
    dims = c.dims(x, "the operand")
    axis = c.axis(axis, len(dims))
    count = len(c.results)
    sizes = [dims[axis] // count] * count if even else c.ints(1, "sizes")
    if -1 in sizes:
        sizes[sizes.index(-1)] = dims[axis] - sum(s for s in sizes if s >= 0)
    return _split(c, x, axis, sizes)


def _all_moved(c: OperatorContext, i: int) -> Value:
    """Returns operand i as stored where all results stand for the same."""
    same = all(same_params(c.params(i), c.result_params(r)) for r in range(len(c.results)))
    return c.stored(i) if same else c.real(i)


def _split(c: OperatorContext, x: Value, axis: int, sizes: list[int]) -> list[Value]:
    return [x] if len(sizes) == 1 else c.emit("split", [x], {"axis": axis, "sizes": sizes}, outputs=len(sizes))


@converts("SLICE")
def slice_(c: OperatorContext) -> Value:
    """From operand 1, as many elements as operand 2 says (-1: the rest)."""
    x = c.moved()
    if not (c.is_known(1) and c.is_known(2)):
        return _sliced_by_values(c, x)
    begin, size = c.ints(1, "begin"), c.ints(2, "size")
    ends = [_END if s < 0 else b + s for b, s in zip(begin, size, strict=True)]
    return _sliced(c, x, begin, ends, [1] * len(begin))


def _sliced_by_values(c: OperatorContext, x: Value) -> Value:
    """Returns x from begins that are computed, as many elements as are computed."""
    begin, size = (c.cast(c.stored(i), DType.INT64) for i in (1, 2))
    is_rest = c.binary("less", size, c.int64s([0]))
    end = c.add("where", [is_rest, c.int64s([_END]), c.binary("add", begin, size)])
    rank = len(x.shape)
    return c.add("slice", [x, begin, end, c.int64s(range(rank)), c.int64s([1] * rank)])


def _sliced(c: OperatorContext, x: Value, starts: list[int], ends: list[int], steps: list[int]) -> Value:
    axes = list(range(len(starts)))
    return c.add("slice", [x, *(c.int64s(v) for v in (starts, ends, axes, steps))])


@converts("STRIDED_SLICE")
def strided_slice(c: OperatorContext) -> Value:
    """NumPy slicing: bits of the masks say where a bound is open, a dim goes away, comes in, or all others stay."""
    x = c.moved()
    begin, end, step = c.ints(1, "begin"), c.ints(2, "end"), c.ints(3, "strides")
    if c.option("offset", False):
        raise RefusedError("ends that count from the begins, expected ends")
    masks = {k: int(c.option(f"{k}_mask")) for k in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    dims = c.dims(x, "the operand")
    starts: list[int] = []
    ends: list[int] = []
    steps: list[int] = []
    shape: list[int] = []  # per dim of the result: -1 as sliced, 1 new, 0 to go away
    axis = 0
    for i in range(len(begin)):
        bit = {k: bool(m >> i & 1) for k, m in masks.items()}
        if bit["ellipsis"]:
            later = sum(not masks["new_axis"] >> j & 1 for j in range(i + 1, len(begin)))
            while axis < len(dims) - later:
                starts, ends, steps, shape = [*starts, 0], [*ends, _END], [*steps, 1], [*shape, -1]
                axis += 1
        elif bit["new_axis"]:
            shape.append(1)
        elif bit["shrink_axis"]:
            at = begin[i] % dims[axis]
            starts, ends, steps, shape = [*starts, at], [*ends, at + 1], [*steps, 1], [*shape, 0]
            axis += 1
        else:
            forward = step[i] > 0
            starts.append((0 if forward else _END) if bit["begin"] else begin[i])
            ends.append((_END if forward else -_END) if bit["end"] else end[i])
            steps, shape = [*steps, step[i]], [*shape, -1]
            axis += 1
    y = _sliced(c, x, starts, ends, steps)
    left = iter(c.dims(y, "the result"))
    taken = [(s, next(left) if s != 1 else 1) for s in shape]
    return c.reshape(y, [d for s, d in taken if s != 0] + list(left))


@converts("TILE")
def tile(c: OperatorContext) -> Value:
    """Repeats along each axis."""
    return c.add("tile", [c.moved(), c.int64s(c.ints(1, "repeats"))])


@converts("BROADCAST_TO")
def broadcast_to(c: OperatorContext) -> Value:
    """Repeats dims of one."""
    return c.add("expand", [c.moved(), c.int64s(c.ints(1, "shape"))])


@converts("FILL")
def fill(c: OperatorContext) -> Value:
    """A tensor of one value."""
    same = same_params(c.params(1), c.result_params())
    return c.add("constant_of_shape", [c.int64s(c.ints(0, "shape")), c.stored(1) if same else c.real(1)])


@converts("ONE_HOT")
def one_hot(c: OperatorContext) -> Value:
    """`on` at the index, `off` elsewhere, along a new axis."""
    on, off = c.real(2), c.real(3)
    values = c.add("concat", [c.reshape(off, [1]), c.reshape(on, [1])], {"axis": 0})
    return c.add("one_hot", [c.stored(0), c.int64s(c.ints(1, "depth")), values], {"axis": int(c.option("axis"))})


@converts("REVERSE_V2")
def reverse(c: OperatorContext) -> Value:
    """Turns axes round."""
    x, axes = c.moved(), c.ints(1, "axes")
    count = len(axes)
    bounds = ([-1] * count, [-_END] * count, [c.axis(a, len(x.shape)) for a in axes], [-1] * count)
    return c.add("slice", [x, *(c.int64s(v) for v in bounds)])


# ---- padding ----


@converts("PAD", "PADV2")
def pad(c: OperatorContext) -> Value:
    """Adds zeros, or the value of operand 2, around x."""
    x = c.moved()
    value = None
    if c.has(2):
        is_stored = same_params(c.params(2), c.result_params()) and x is c.stored(0)
        value = c.stored(2) if is_stored else c.real(2)
        if value.dtype is not x.dtype:
            x, value = c.real(0), c.real(2)
    elif c.params(0) is not None and x is c.stored(0):
        params = c.params(0)
        assert params is not None
        value = c.constant(np.asarray(params.zero_point).reshape(()).astype(x.dtype.numpy))
    pads = c.array(1, "paddings").reshape(-1, 2)
    if len(pads) != len(x.shape):
        raise RefusedError(f"paddings of {len(pads)} dims for rank {len(x.shape)}, expected equal ranks")
    operands = [x, c.int64s([int(p) for p in pads.T.reshape(-1)])]
    return c.add("pad", operands if value is None else [*operands, value], {"mode": "constant"})


@converts("MIRROR_PAD")
def mirror_pad(c: OperatorContext) -> Value:
    """Mirrors x at its edges: REFLECT leaves the edge itself out, SYMMETRIC repeats it."""
    x, pads = c.moved(), c.array(1, "paddings").reshape(-1, 2)
    if not c.option("mode"):
        return c.add("pad", [x, c.int64s([int(p) for p in pads.T.reshape(-1)])], {"mode": "reflect"})
    for axis, (before, after) in enumerate(pads.tolist()):
        size = c.dims(x, "the operand")[axis]
        if not (0 <= before <= size and 0 <= after <= size <= _MOST_MIRRORED):
            most = min(size, _MOST_MIRRORED)
            raise RefusedError(f"paddings {before} and {after} of {size} elements, expected at most {most}")
        index = np.arange(-before, size + after) % (2 * size)
        if before or after:
            picked = np.where(index < size, index, 2 * size - 1 - index)
            x = c.add("gather", [x, c.int64s(picked.tolist())], {"axis": axis})
    return x


# ---- images ----


@converts("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
def resize(c: OperatorContext) -> Value:
    """Resizes h and w to operand 1."""
    nearest = c.op != "RESIZE_BILINEAR"
    x, sizes = (c.moved() if nearest else c.image(0)), c.ints(1, "size")
    corners, half = bool(c.option("align_corners", False)), bool(c.option("half_pixel_centers", False))
    mode = "align_corners" if corners else "half_pixel" if half else "asymmetric"
    attrs = {"mode": "linear", "coordinate_mode": mode, "axes": [1, 2]}
    if nearest:  # floor((i + 0.5) * scale), floor(i * scale), or round(i * scale) with half away from zero
        mode = "tf_half_pixel_for_nn" if half and not corners else mode
        rounding = "round_prefer_ceil" if corners else "floor"
        attrs = {"mode": "nearest", "coordinate_mode": mode, "nearest_mode": rounding, "axes": [1, 2]}
    return c.add("resize", [x, None, None, c.int64s(sizes)], attrs)


@converts("SPACE_TO_DEPTH", "DEPTH_TO_SPACE")
def space_to_depth(c: OperatorContext) -> Value:
    """Blocks of pixels <-> channels (block row, block column, channel)."""
    x, block = c.moved(), int(c.option("block_size", 1))
    n, h, w, channels = c.dims(x, "the image")
    if c.op == "SPACE_TO_DEPTH":
        y = c.reshape(x, [n, h // block, block, w // block, block, channels])
        y = c.transpose(y, [0, 1, 3, 2, 4, 5])
        return c.reshape(y, [n, h // block, w // block, block * block * channels])
    y = c.reshape(x, [n, h, w, block, block, channels // (block * block)])
    return c.reshape(c.transpose(y, [0, 1, 3, 2, 4, 5]), [n, h * block, w * block, channels // (block * block)])


@converts("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND")
def space_to_batch(c: OperatorContext) -> Value:
    """Blocks of pixels <-> images of the batch (block row, block column, image)."""
    x, block = c.moved(), c.ints(1, "block shape")
    edges = c.array(2, "paddings").reshape(-1, 2).tolist()
    dims, k = c.dims(x, "the operand"), len(block)
    if min(block) < 1 or len(edges) != k or len(dims) <= k:
        raise RefusedError(f"blocks {block} for rank {len(dims)}, expected fewer blocks of at least 1 than dims")
    if c.op == "SPACE_TO_BATCH_ND":
        zero = np.zeros((), np.int64) if c.params(0) is None else np.asarray(c.params(0).zero_point)  # type: ignore[union-attr]
        full = [[0, 0], *edges, *[[0, 0]] * (len(dims) - k - 1)]
        value = c.constant(zero.reshape(()).astype(x.dtype.numpy) if x is c.stored(0) else np.float32(0))
        x = c.add("pad", [x, c.int64s(np.array(full).T.reshape(-1).tolist()), value], {"mode": "constant"})
        dims = c.dims(x, "the operand")
        cut = [n for i, b in enumerate(block) for n in (dims[1 + i] // b, b)]
        y = c.reshape(x, [dims[0], *cut, *dims[1 + k :]])
        order = [2 + 2 * i for i in range(k)] + [0] + [1 + 2 * i for i in range(k)]
        y = c.transpose(y, [*order, *range(1 + 2 * k, len(y.shape))])
        return c.reshape(y, [dims[0] * math.prod(block), *(dims[1 + i] // block[i] for i in range(k)), *dims[1 + k :]])
    images = dims[0] // math.prod(block)
    y = c.reshape(x, [*block, images, *dims[1:]])
    order = [k] + [p for i in range(k) for p in (k + 1 + i, i)]
    y = c.transpose(y, [*order, *range(2 * k + 1, len(y.shape))])
    y = c.reshape(y, [images, *(dims[1 + i] * block[i] for i in range(k)), *dims[1 + k :]])
    starts = [before for before, _ in edges]
    ends = [dims[1 + i] * block[i] - after for i, (_, after) in enumerate(edges)]
    return _sliced(c, y, [0, *starts], [_END, *ends], [1] * (k + 1))
