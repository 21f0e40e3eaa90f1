# SPDX-License-Identifier: Apache-2.0
"""Converters of windowed ops: convolutions and pools.

Foreign images are [n, c, h, w]: each op gets a transpose to channels-last before and one back after, which passes
remove between neighbours. One spatial dim is treated as an image of height 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tealight.frontends.onnx.context import NodeContext, RefusedError
from tealight.frontends.onnx.registry import converts
from tealight.ir.graph import Value
from tealight.ir.types import DType


@dataclasses.dataclass
class Window:
    """Kernel, strides, pads [begins, ends] and dilations per spatial axis, as the foreign node has them."""

    kernel: list[int]
    strides: list[int]
    pads: list[int]
    dilations: list[int]

    @property
    def extent(self) -> list[int]:
        """Size of the dilated kernel."""
        return [(k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True)]

    def attrs(self) -> dict[str, list[int]]:
        """Returns the attributes of a 2-d op."""
        one = len(self.kernel) == 1
        pads = [0, self.pads[0], 0, self.pads[1]] if one else list(self.pads)
        lead = [1] if one else []
        return {
            "kernel_shape": lead + self.kernel,
            "strides": lead + self.strides,
            "pads": pads,
            "dilations": lead + self.dilations,
        }


def padded_window(c: NodeContext, x: Value, kernel: Sequence[int], fill: float) -> tuple[Value, Window]:
    """Returns x and the window of a node over it; auto_pad of open sizes pads x with `fill` at run time."""
    auto = c.text("auto_pad", "NOTSET")
    strides = c.integers("strides", [1] * len(kernel))
    is_open = any(isinstance(d, str) and s != 1 for d, s in zip(x.shape[2:], strides, strict=False))
    if auto not in ("SAME_UPPER", "SAME_LOWER") or not is_open:
        return x, window_of(c, x, kernel)
    c.attrs["auto_pad"] = "VALID"
    window = window_of(c, x, kernel)
    size = c.add("shape", [x], {"start": 2, "end": len(x.shape)})
    stride, extent = c.int64s(window.strides), c.int64s(window.extent)
    count = c.binary("div", c.binary("add", size, c.int64s([s - 1 for s in window.strides])), stride)
    reach = c.binary("add", c.binary("mul", c.binary("sub", count, c.int64s([1])), stride), extent)
    total = c.binary("max", c.binary("sub", reach, size), c.int64s([0]))
    small = c.binary("div", total, c.int64s([2]))
    large = c.binary("sub", total, small)
    outer = c.int64s([0, 0])
    parts = [outer, small, outer, large] if auto == "SAME_UPPER" else [outer, large, outer, small]
    return c.add("pad", [x, c.concat(parts, 0), c.scalar(fill, x)], {"mode": "constant"}), window


def window_of(c: NodeContext, x: Value, kernel: Sequence[int]) -> Window:
    """Returns the window of a node over x [n, c, ...], with auto_pad resolved."""
    spatial = len(x.shape) - 2
    if spatial < 1 or len(kernel) != spatial:
        raise RefusedError(f"kernel of {len(kernel)} dims over an input of rank {len(x.shape)}, expected rank - 2 dims")
    for key, count in (("strides", spatial), ("dilations", spatial), ("pads", 2 * spatial)):
        if c.has(key) and len(c.integers(key)) != count:
            raise RefusedError(f"{key} {c.integers(key)}, expected {count} numbers")
    ones = [1] * spatial
    window = Window(
        list(kernel), c.integers("strides", ones), c.integers("pads", [0] * 2 * spatial), c.integers("dilations", ones)
    )
    auto = c.text("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        window.pads = _same_pads(c, x, window, upper=auto == "SAME_UPPER")
    elif auto == "VALID":
        window.pads = [0] * 2 * spatial
    elif auto not in ("NOTSET", ""):
        raise RefusedError(f"auto_pad '{auto}', expected NOTSET, VALID, SAME_UPPER or SAME_LOWER")
    return window


def _same_pads(c: NodeContext, x: Value, window: Window, *, upper: bool) -> list[int]:
    begins, ends = [], []
    for i, (extent, stride) in enumerate(zip(window.extent, window.strides, strict=True)):
        total = extent - 1
        if stride != 1:
            size = c.static(x, 2 + i, "spatial size under auto_pad")
            total = max((-(-size // stride) - 1) * stride + extent - size, 0)
        small, large = total // 2, total - total // 2
        begins.append(small if upper else large)
        ends.append(large if upper else small)
    return begins + ends


def weight_of(c: NodeContext, x: Value) -> Value:
    """Returns the constant weight of a convolution, which may be kept as integers."""
    weight = c.input(1)
    if not c.is_weight(weight):
        weight = c.constant(c.array(1, "weight"), name=f"{c.name}.weight")
    if len(weight.shape) != len(x.shape):
        raise RefusedError(
            f"weight of shape {list(weight.shape)} for an input of rank {len(x.shape)}, expected equal ranks"
        )
    if weight.dtype is not DType.FLOAT32:
        raise RefusedError(f"weight of {weight.dtype.label}, expected a float type", "use the float model")
    return weight


def kernel_of(weight: Value) -> list[int]:
    """Returns the spatial dims of a weight [a, b, ...]."""
    return [int(d) for d in weight.shape[2:]]


def as_2d(weight: np.ndarray) -> np.ndarray:
    """Returns a weight [a, b, k] as [a, b, 1, k]."""
    return weight[:, :, None, :] if weight.ndim == 3 else weight


@converts("Conv")
def conv(c: NodeContext) -> Value:
    """Conv with 1 or 2 spatial dims, any group; one filter per channel makes a depthwise convolution."""
    x = c.input(0)
    weight = weight_of(c, x)
    x, window = padded_window(c, x, c.integers("kernel_shape", kernel_of(weight)), 0.0)
    return convolve(c, x, weight, c.optional(2), window)


def convolve(c: NodeContext, x: Value, weight: Value, bias: Value | None, window: Window) -> Value:
    """Adds a convolution of x [n, c, ...] with weight [oc, ic / group, ...]."""
    group = c.integer("group", 1)
    rank = len(x.shape)
    if rank not in (3, 4):
        raise RefusedError(f"{rank - 2} spatial dims, expected 1 or 2", "volumetric (3-d) layers have no kernels")
    oc, per_group = (int(d) for d in weight.shape[:2])
    channels = x.shape[1]
    if group < 1 or oc % group or (isinstance(channels, int) and channels != per_group * group):
        raise RefusedError(
            f"weight {list(weight.shape)} with group {group} for {channels} channels, "
            "expected [oc, channels / group, ...] and oc a multiple of group"
        )
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
    attrs = {**window.attrs(), "ceil_mode": bool(c.integer("ceil_mode", 0))}
    return c.from_image(c.add("max_pool2d", [c.to_image(x)], attrs), len(x.shape))


@converts("AveragePool")
def average_pool(c: NodeContext) -> Value:
    """AveragePool."""
    x = c.input(0)
    window = window_of(c, x, c.integers("kernel_shape"))
    attrs = {
        **window.attrs(),
        "ceil_mode": bool(c.integer("ceil_mode", 0)),
        "count_include_pad": bool(c.integer("count_include_pad", 0)),
    }
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
