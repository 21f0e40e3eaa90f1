# SPDX-License-Identifier: Apache-2.0
"""Sliding windows over images, and the arithmetic of dims that may be symbols.

Convolution and pooling slide a window over [n, h, w, c]; this file is the one place that knows how many windows fit
and which padding ONNX's auto_pad means.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tealight.ir.types import Dim, TensorType

_FRESH = itertools.count()


def derived_dim(what: str, *parts: Dim) -> str:
    """Returns the symbol of a size computed from others: equal texts are equal sizes."""
    return f"?{what}({','.join(str(p) for p in parts)})"


def fresh_dim() -> str:
    """Returns a symbol that equals no other: a size that depends on operand values."""
    return f"?{next(_FRESH)}"


def output_size(size: Dim, kernel: int, stride: int, pads: tuple[int, int], dilation: int, ceil_mode: bool) -> Dim:
    """Returns how many windows fit along one axis; below 1 when none does.

    With ceil_mode the last window may hang over the end, but must start inside the input or the leading padding
    (ONNX AveragePool/MaxPool; the same rule as PyTorch's).
    """
    extra = pads[0] + pads[1] - dilation * (kernel - 1)
    if isinstance(size, str):
        if ceil_mode and stride != 1:
            return derived_dim("win", size, stride, extra, pads[0])
        return size if (stride, extra) == (1, 0) else derived_dim("win", size, stride, extra)
    span = size + extra - 1
    if span < 0:  # less than one whole window
        return int(ceil_mode and -span < stride and size + pads[0] > 0)
    count = span // stride + 1
    if ceil_mode and span % stride and count * stride < size + pads[0]:
        count += 1
    return count


def auto_pads(mode: str, size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Returns the (leading, trailing) padding that ONNX's auto_pad stands for along one axis of known size."""
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        return 0, 0
    out = -(-size // stride)
    total = max((out - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    small, large = total // 2, total - total // 2
    return (small, large) if mode == "SAME_UPPER" else (large, small)


def check_window(error: Callable[..., Exception], attrs: dict[str, Any]) -> None:
    """Checks the lists kernel_shape, strides, pads and dilations of a 2-d window; raises error(...)."""
    for key, length, low in (("kernel_shape", 2, 1), ("strides", 2, 1), ("pads", 4, 0), ("dilations", 2, 1)):
        value = attrs[key]
        if len(value) != length or any(v < low for v in value):
            raise error(key, found=list(value), expected=f"{length} numbers of at least {low}")


def output_hw(h: Dim, w: Dim, attrs: dict[str, Any]) -> tuple[Dim, Dim]:
    """Returns the (h, w) of the result for the attributes of a 2-d window."""
    (kh, kw), (sh, sw), (dh, dw) = attrs["kernel_shape"], attrs["strides"], attrs["dilations"]
    top, left, bottom, right = attrs["pads"]
    ceil_mode = bool(attrs.get("ceil_mode", False))
    return output_size(h, kh, sh, (top, bottom), dh, ceil_mode), output_size(w, kw, sw, (left, right), dw, ceil_mode)


def check_conv(error: Callable[..., Exception], x: TensorType, weight: TensorType, attrs: dict[str, Any]) -> None:
    """Checks x [n, h, w, c] and weight [oc, kh, kw, c / group] of a convolution, but for their types."""
    check_window(error, attrs)
    if x.rank != 4:
        raise error("x", found=x, expected="[n, h, w, c]")
    kernel, group = tuple(attrs["kernel_shape"]), attrs["group"]
    c, oc = x.shape[3], weight.shape[0]
    if not isinstance(oc, int) or group < 1 or oc % group:
        raise error("group", found=group, expected=f"a divisor of oc = {oc}")
    if weight.rank != 4 or weight.shape[1:3] != kernel or (isinstance(c, int) and weight.shape[3] * group != c):
        raise error("weight", found=weight, expected=f"[oc, {kernel[0]}, {kernel[1]}, {c} / {group}]")


def conv_shape(
    error: Callable[..., Exception], x: TensorType, weight: TensorType, attrs: dict[str, Any]
) -> tuple[Dim, ...]:
    """Checks as check_conv and returns the shape of the convolution's result."""
    check_conv(error, x, weight, attrs)
    oh, ow = output_hw(x.shape[1], x.shape[2], attrs)
    if any(isinstance(d, int) and d < 1 for d in (oh, ow)):
        raise error("x", found=x, expected="room for one window")
    return x.shape[0], oh, ow, weight.shape[0]


def conv_sums(x: np.ndarray, weight: np.ndarray, attrs: dict[str, Any], fill: float) -> np.ndarray:
    """Returns the sums of a convolution [n, oh, ow, oc] in float64, `fill` being what lies outside of x."""
    taps, group = windows(x, attrs, fill), attrs["group"]
    oc, kh, kw, c = weight.shape
    parts = []
    for g in range(group):
        own = weight[g * (oc // group) : (g + 1) * (oc // group)].astype(np.float64)
        total: Any = 0.0
        for i in range(kh):
            for j in range(kw):
                total = total + taps[i][j][..., g * c : (g + 1) * c].astype(np.float64) @ own[:, i, j].T
        parts.append(total)
    return np.concatenate(parts, axis=-1)


def windows(x: np.ndarray, attrs: dict[str, Any], fill: float) -> list[list[np.ndarray]]:
    """Returns, per kernel row and column, the tap of every window: arrays [n, oh, ow, c], `fill` outside x."""
    (kh, kw), (sh, sw), (dh, dw) = attrs["kernel_shape"], attrs["strides"], attrs["dilations"]
    top, left, _, _ = attrs["pads"]
    n, h, w, c = x.shape
    oh, ow = (int(d) for d in output_hw(h, w, attrs))
    padded = np.full(
        (n, (oh - 1) * sh + dh * (kh - 1) + 1 + h, (ow - 1) * sw + dw * (kw - 1) + 1 + w, c), fill, x.dtype
    )
    bottom, right = min(h, padded.shape[1] - top), min(w, padded.shape[2] - left)
    padded[:, top : top + bottom, left : left + right] = x[:, :bottom, :right]
    return [
        [
            padded[:, i * dh : i * dh + (oh - 1) * sh + 1 : sh, j * dw : j * dw + (ow - 1) * sw + 1 : sw]
            for j in range(kw)
        ]
        for i in range(kh)
    ]


def known(values: np.ndarray | None) -> list[int] | None:
    """Returns a constant integer operand as a list; None when it is not known."""
    return None if values is None else [int(v) for v in np.asarray(values).reshape(-1)]


def normal_axes(axes: Sequence[int], rank: int) -> list[int] | None:
    """Returns the axes in [0, rank); None when one is out of range or named twice."""
    result = [a + rank if a < 0 else a for a in axes]
    if any(not 0 <= a < rank for a in result) or len(set(result)) != len(result):
        return None
    return result


def product(dims: Sequence[int]) -> int:
    """Returns the product of dims."""
    return math.prod(dims)
