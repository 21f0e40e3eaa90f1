# SPDX-License-Identifier: Apache-2.0
"""Converters of windowed ops: convolutions and pools.

Foreign images are [n, c, h, w]: each op gets a transpose to channels-last before and one back after, which passes
remove between neighbours. One spatial dim is treated as an image of height 1.
"""

from __future__ import annotations

import numpy as np

from tealight.frontends.onnx.context import NodeContext, RefusedError
from tealight.frontends.onnx.registry import converts
from tealight.frontends.onnx.volume import average_pool_volume, convolve_volume, max_pool_volume
from tealight.frontends.onnx.window import Window, as_2d, kernel_of, padded_window, weight_of, window_of
from tealight.ir.graph import Value


@converts("Conv")
def conv(c: NodeContext) -> Value:
    """Conv with 1 to 3 spatial dims, any group; one filter per channel makes a depthwise convolution."""
    x, weight = c.input(0), c.input(1)
    if not c.is_weight(weight) and c.known_array(weight) is None:
        return convolve_computed(c, x, weight, c.optional(2))
    weight = weight_of(c, x)
    x, window = padded_window(c, x, c.integers("kernel_shape", kernel_of(weight)), 0.0)
    return convolve(c, x, weight, c.optional(2), window)


def convolve(c: NodeContext, x: Value, weight: Value, bias: Value | None, window: Window) -> Value:
    """Adds a convolution of x [n, c, ...] with weight [oc, ic / group, ...]."""
    group = c.integer("group", 1)
    rank = len(x.shape)
    if rank not in (3, 4, 5):
        raise RefusedError(f"{rank - 2} spatial dims, expected 1 to 3")
    oc, per_group = (int(d) for d in weight.shape[:2])
    channels = x.shape[1]
    if group < 1 or oc % group or (isinstance(channels, int) and channels != per_group * group):
        raise RefusedError(
            f"weight {list(weight.shape)} with group {group} for {channels} channels, "
            "expected [oc, channels / group, ...] and oc a multiple of group"
        )
    if rank == 5:
        return convolve_volume(c, x, weight, bias, window)
    image = c.to_image(x)
    operands: list[Value | None] = [image]
    attrs: dict[str, object] = dict(window.attrs())
    if group > 1 and per_group == 1 and oc == group:
        operands.append(c.rearranged(weight, lambda w: as_2d(w)[:, 0], "weight"))
        op = "depthwise_conv2d"
    else:
        operands.append(c.rearranged(weight, lambda w: as_2d(w).transpose(0, 2, 3, 1), "weight"))
        attrs["group"] = group
        op = "conv2d"
    if bias is not None:
        operands.append(bias)
    return c.from_image(c.add(op, operands, attrs), rank)


def convolve_computed(c: NodeContext, x: Value, weight: Value, bias: Value | None) -> Value:
    """Adds a convolution whose weight is computed at run time: a product of the taps with it."""
    rank, group = len(x.shape), c.integer("group", 1)
    if rank not in (3, 4) or len(weight.shape) != rank:
        raise RefusedError(f"a computed weight of rank {len(weight.shape)} for rank {rank}, expected 3 or 4 for both")
    oc, per_group, *kernel = (c.static(weight, i, "size of the computed weight") for i in range(rank))
    x, window = padded_window(c, x, c.integers("kernel_shape", kernel), 0.0)
    count = int(np.prod(kernel))
    taps = np.tile(np.eye(count, dtype=np.float32).reshape(count, *kernel), (group * per_group, *[1] * len(kernel)))
    each = c.constant(as_2d(taps[:, None]).transpose(0, 2, 3, 1), name=f"{c.name}.taps")
    attrs = {**window.attrs(), "group": group * per_group}
    columns = c.add("conv2d", [c.to_image(x), each], attrs)  # [n, oh, ow, c * taps]
    n, oh, ow, _ = c.dims(columns)
    deep = per_group * count
    matrix = c.transpose(c.reshape(weight, [group, oc // group, deep]), [0, 2, 1])
    if deep == count and oc == group:
        shares = c.binary("mul", c.reshape(columns, [n, oh, ow, group, deep]), c.reshape(weight, [group, deep]))
        y = c.reduce("sum", shares, [4], keepdims=False)
    else:
        rows = c.transpose(c.reshape(columns, [n, -1, group, deep]), [0, 2, 1, 3])
        y = c.transpose(c.add("matmul", [rows, matrix], {"alpha": 1.0}), [0, 2, 1, 3])
        y = c.reshape(y, [n, oh, ow, oc])
    return c.from_image(y if bias is None else c.binary("add", y, bias), rank)


@converts("ConvTranspose")
def conv_transpose(c: NodeContext) -> Value:
    """ConvTranspose with 1 or 2 spatial dims; output_shape and auto_pad become pads."""
    x = c.input(0)
    weight = weight_of(c, x)
    rank = len(x.shape)
    spatial = rank - 2
    if rank not in (3, 4):
        raise RefusedError(f"{spatial} spatial dims, expected 1 or 2", "volumetric (3-d) layers have no kernels")
    kernel = c.integers("kernel_shape", kernel_of(weight))
    ones, zeros = [1] * spatial, [0] * spatial
    window = Window(
        kernel, c.integers("strides", ones), c.integers("pads", zeros + zeros), c.integers("dilations", ones)
    )
    extra = c.integers("output_padding", zeros)
    _resolve_output(c, x, window, extra)
    group = c.integer("group", 1)
    image = c.to_image(x)
    attrs: dict[str, object] = dict(window.attrs())
    attrs["output_padding"] = [0, *extra] if spatial == 1 else extra
    attrs["group"] = group
    operands: list[Value | None] = [image, c.rearranged(weight, lambda w: transposed_weight(w, group), "weight")]
    if c.optional(2) is not None:
        operands.append(c.optional(2))
    return c.from_image(c.add("conv_transpose2d", operands, attrs), rank)


def transposed_weight(weight: np.ndarray, group: int) -> np.ndarray:
    """Returns [ic, oc / group, ...] as [oc, kh, kw, ic / group]."""
    weight = as_2d(weight)
    ic, og, kh, kw = weight.shape
    if group < 1 or ic % group:
        raise RefusedError(f"group {group} for {ic} input channels, expected a divisor")
    split = weight.reshape(group, ic // group, og, kh, kw)
    return np.ascontiguousarray(split.transpose(0, 2, 3, 4, 1).reshape(group * og, kh, kw, ic // group))


def _resolve_output(c: NodeContext, x: Value, window: Window, extra: list[int]) -> None:
    """Turns output_shape and auto_pad into pads and output padding."""
    spatial = len(window.kernel)
    auto = c.text("auto_pad", "NOTSET")
    wanted: list[int] | None = None
    if c.has("output_shape"):
        wanted = c.integers("output_shape")[-spatial:]
    elif auto == "VALID":
        window.pads = [0] * 2 * spatial
    if wanted is None and auto not in ("SAME_UPPER", "SAME_LOWER"):
        return
    for i in range(spatial):
        stride, extent = window.strides[i], window.extent[i]
        if wanted is None:
            total = extent + extra[i] - stride
        else:
            size = c.static(x, 2 + i, "spatial size under output_shape")
            total = stride * (size - 1) + extra[i] + extent - wanted[i]
        if total < 0:
            extra[i] -= total
            total = 0
        half = total // 2
        begin = half if auto == "SAME_UPPER" else total - half
        window.pads[i], window.pads[spatial + i] = begin, total - begin


# ---- pools ----


@converts("MaxPool")
def max_pool(c: NodeContext) -> Value:
    """MaxPool; its Indices are not computed."""
    if c.wants(1):
        raise RefusedError("result Indices is used, expected only the pooled values", "MaxUnpool pairs have no import")
    x, window = padded_window(c, c.input(0), c.integers("kernel_shape"), -np.inf)
    ceil_mode = bool(c.integer("ceil_mode", 0))
    if len(x.shape) == 5:
        return max_pool_volume(c, x, window, ceil_mode=ceil_mode)
    attrs = {**window.attrs(), "ceil_mode": ceil_mode}
    return c.from_image(c.add("max_pool2d", [c.to_image(x)], attrs), len(x.shape))


@converts("AveragePool")
def average_pool(c: NodeContext) -> Value:
    """AveragePool."""
    x = c.input(0)
    window = window_of(c, x, c.integers("kernel_shape"))
    how = {name: bool(c.integer(name, 0)) for name in ("ceil_mode", "count_include_pad")}
    if len(x.shape) == 5:
        return average_pool_volume(c, x, window, **how)
    attrs = {**window.attrs(), **how}
    return c.from_image(c.add("average_pool2d", [c.to_image(x)], attrs), len(x.shape))


@converts("GlobalAveragePool", "GlobalMaxPool")
def global_pool(c: NodeContext) -> Value:
    """Global pools are reductions over the spatial axes."""
    x = c.input(0)
    rank = len(x.shape)
    kind = "mean" if c.op == "GlobalAveragePool" else "max"
    if rank not in (3, 4):
        return c.reduce(kind, x, list(range(2, rank)))
    return c.from_image(c.reduce(kind, c.to_image(x), [1, 2]), rank)


@converts("GlobalLpPool")
def global_lp_pool(c: NodeContext) -> Value:
    """(sum |x|^p)^(1/p) over the spatial axes."""
    x, p = c.input(0), c.number("p", 2.0)
    axes = list(range(2, len(x.shape)))
    if p in (1.0, 2.0):
        return c.reduce("l1" if p == 1.0 else "l2", x, axes)
    powers = c.binary("pow", c.unary("abs", x), c.scalar(p, x))
    return c.binary("pow", c.reduce("sum", powers, axes), c.scalar(1.0 / p, x))


@converts("LpPool")
def lp_pool(c: NodeContext) -> Value:
    """(sum |x|^p)^(1/p) over windows: a depthwise convolution with ones between two powers."""
    x, p = c.input(0), c.number("p", 2.0)
    window = window_of(c, x, c.integers("kernel_shape"))
    channels = c.static(x, 1, "number of channels")
    if c.integer("ceil_mode", 0):
        _pad_to_ceil(c, x, window)
    absolute = c.unary("abs", x) if p == 1.0 else c.unary("square", x) if p == 2.0 else None
    if absolute is None:
        absolute = c.binary("pow", c.unary("abs", x), c.scalar(p, x))
    attrs = window.attrs()
    ones = c.constant(np.ones((channels, *attrs["kernel_shape"]), np.float32), name=f"{c.name}.ones")
    y = c.from_image(c.add("depthwise_conv2d", [c.to_image(absolute), ones], attrs), len(x.shape))
    if p == 1.0:
        return y
    return c.unary("sqrt", y) if p == 2.0 else c.binary("pow", y, c.scalar(1.0 / p, y))


def _pad_to_ceil(c: NodeContext, x: Value, window: Window) -> None:
    """Grows the end pads so that the floor formula gives the ceil_mode size."""
    spatial = len(window.kernel)
    for i, (extent, stride) in enumerate(zip(window.extent, window.strides, strict=True)):
        size = c.static(x, 2 + i, "spatial size under ceil_mode")
        begin, end = window.pads[i], window.pads[spatial + i]
        out = -(-(size + begin + end - extent) // stride) + 1
        if (out - 1) * stride >= size + begin:
            out -= 1
        window.pads[spatial + i] = max(end, (out - 1) * stride + extent - size - begin)


@converts("Col2Im")
def col2im(c: NodeContext) -> Value:
    """Col2Im: a transposed convolution with an identity weight per tap."""
    x = c.input(0)
    image, block = c.known_ints(1, "image_shape"), c.known_ints(2, "block_shape")
    if len(image) != 2:
        raise RefusedError(f"{len(image)} spatial dims, expected 2")
    strides, dilations = c.integers("strides", [1, 1]), c.integers("dilations", [1, 1])
    pads = c.integers("pads", [0, 0, 0, 0])
    window = Window(block, strides, pads, dilations)
    taps = block[0] * block[1]
    channels = c.static(x, 1, "number of columns") // taps
    cells = [(image[i] + pads[i] + pads[2 + i] - window.extent[i]) // strides[i] + 1 for i in range(2)]
    extra = [image[i] - (strides[i] * (cells[i] - 1) + window.extent[i] - pads[i] - pads[2 + i]) for i in range(2)]
    weight = np.zeros((channels, *block, taps), np.float32)
    for t in range(taps):
        weight[:, t // block[1], t % block[1], t] = 1
    folded = c.to_last(c.reshape(x, [c.dim(x, 0), channels * taps, *cells]))
    attrs = {**window.attrs(), "output_padding": extra, "group": channels}
    return c.to_first(c.add("conv_transpose2d", [folded, c.constant(weight, name=f"{c.name}.weight")], attrs))
