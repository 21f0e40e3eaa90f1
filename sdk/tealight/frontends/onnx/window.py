# SPDX-License-Identifier: Apache-2.0
"""Windows of convolutions and pools as foreign nodes give them: kernel, strides, pads, auto_pad, and weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tealight.frontends.onnx.context import NodeContext, RefusedError
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
    window = window_of(c, x, kernel, auto_pad="VALID")
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


def window_of(c: NodeContext, x: Value, kernel: Sequence[int], auto_pad: str | None = None) -> Window:
    """Returns the window of a node over x [n, c, ...], with auto_pad (the node's, or another) resolved."""
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
    auto = auto_pad or c.text("auto_pad", "NOTSET")
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
