# SPDX-License-Identifier: Apache-2.0
"""Windows with three spatial dims, as layers over the images of a volume [n, c, t, h, w].

The taps along t are slices: joined along the channels they make one convolution of images, compared or added they
make a pool.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tealight.frontends.onnx.context import NodeContext
from tealight.frontends.onnx.window import Window
from tealight.ir.graph import Value
from tealight.ops._window import output_size

_TO_THE_END = 2**31 - 1


def _over_images(window: Window) -> Window:
    """Returns the part of a window that lies in an image."""
    pads = [*window.pads[1:3], *window.pads[4:6]]
    return Window(window.kernel[1:], window.strides[1:], pads, window.dilations[1:])


def _taps(c: NodeContext, x: Value, axis: int, window: Window, fill: float) -> list[Value]:
    """Returns x at each tap along t, all of one size."""
    before, after = window.pads[0], window.pads[3]
    if before or after:
        pads = [0] * 2 * len(x.shape)
        pads[axis], pads[len(x.shape) + axis] = before, after
        x = c.add("pad", [x, c.int64s(pads), c.scalar(fill, x)], {"mode": "constant"})
    reach, stride, dilation = window.extent[0] - 1, window.strides[0], window.dilations[0]
    if reach == 0 and stride == 1:
        return [x]
    starts = range(0, reach + 1, dilation)
    return [c.slice(x, axis, s, -(reach - s) if s < reach else _TO_THE_END, stride) for s in starts]


def convolve_volume(c: NodeContext, x: Value, weight: Value, bias: Value | None, window: Window) -> Value:
    """Adds a convolution of x [n, c, t, h, w] with weight [oc, ic / group, kt, kh, kw]."""
    group = c.integer("group", 1)
    taps = _taps(c, c.to_last(x), 1, window, 0.0)
    volume = c.concat(taps, 4)
    count, per_group = len(taps), int(weight.shape[1])
    n, t, h, w, channels = c.dims(volume)
    if group > 1 and count > 1:  # the taps of a group lie together
        split = c.reshape(volume, [n, t, h, w, count, group, per_group])
        volume = c.reshape(c.transpose(split, [0, 1, 2, 3, 5, 4, 6]), [n, t, h, w, channels])
    images = c.reshape(volume, [-1, h, w, channels])

    def flat(array: np.ndarray) -> np.ndarray:
        """[oc, ic / group, kt, kh, kw] as [oc, kh, kw, kt * ic / group]."""
        oc, _, _, kh, kw = array.shape
        return np.ascontiguousarray(array.transpose(0, 3, 4, 2, 1).reshape(oc, kh, kw, count * per_group))

    operands: list[Value | None] = [images, c.rearranged(weight, flat, "weight")]
    if bias is not None:
        operands.append(bias)
    y = c.add("conv2d", operands, {**_over_images(window).attrs(), "group": group})
    _, oh, ow, oc = c.dims(y)
    return c.to_first(c.reshape(y, [n, -1, oh, ow, oc]))


def _pool_images(c: NodeContext, x: Value, op: str, attrs: dict[str, object], window: Window) -> Value:
    """Pools every image of x [n, c, t, h, w]."""
    inside = _over_images(window)
    if inside.kernel == inside.strides == [1, 1] and not any(inside.pads):
        return x
    n, channels, _, h, w = c.dims(x)
    image = c.to_last(c.reshape(x, [n, -1, h, w]))
    y = c.to_first(c.add(op, [image], {**inside.attrs(), **attrs}))
    return c.reshape(y, [n, channels, -1, c.dim(y, 2), c.dim(y, 3)])


def _fold(c: NodeContext, kind: str, values: Sequence[Value]) -> Value:
    y = values[0]
    for v in values[1:]:
        y = c.binary(kind, y, v)
    return y


def max_pool_volume(c: NodeContext, x: Value, window: Window, *, ceil_mode: bool) -> Value:
    """Adds a max pool of x [n, c, t, h, w]."""
    y = _pool_images(c, x, "max_pool2d", {"ceil_mode": ceil_mode}, window)
    return _fold(c, "max", _taps(c, y, 2, _grown(c, x, window) if ceil_mode else window, -np.inf))


def average_pool_volume(c: NodeContext, x: Value, window: Window, *, ceil_mode: bool, count_include_pad: bool) -> Value:
    """Adds an average pool of x [n, c, t, h, w]."""
    attrs: dict[str, object] = {"ceil_mode": ceil_mode, "count_include_pad": count_include_pad}
    y = _pool_images(c, x, "average_pool2d", attrs, window)
    grown = _grown(c, x, window) if ceil_mode else window
    total = _fold(c, "add", _taps(c, y, 2, grown, 0.0))
    pads = (window.pads[0], window.pads[3])
    more = grown.pads[3] - pads[1]
    if more == 0 and (count_include_pad or pads == (0, 0)):
        return c.binary("mul", total, c.scalar(1 / window.kernel[0], total))
    there = np.pad(np.ones(c.static(x, 2, "depth under padding")), pads, constant_values=float(count_include_pad))
    there = np.pad(there, (0, more))
    starts = range(0, len(there) - window.extent[0] + 1, window.strides[0])
    counts = [there[s : s + window.extent[0] : window.dilations[0]].sum() for s in starts]
    share = c.constant((1 / np.array(counts, np.float32)).reshape(-1, 1, 1), name=f"{c.name}.share")
    return c.binary("mul", total, share)


def _grown(c: NodeContext, x: Value, window: Window) -> Window:
    """Returns a window whose end pad along t holds what ceil_mode lets the last window hang over."""
    if window.strides[0] == 1:
        return window
    size = c.static(x, 2, "depth under ceil_mode")
    pads, stride = (window.pads[0], window.pads[3]), window.strides[0]
    count = output_size(size, window.kernel[0], stride, pads, window.dilations[0], True)
    assert isinstance(count, int)
    more = max(stride * (count - 1) + window.extent[0] - size - sum(pads), 0)
    return dataclasses.replace(window, pads=[*window.pads[:3], pads[1] + more, *window.pads[4:]])
