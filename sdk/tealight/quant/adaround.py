# SPDX-License-Identifier: Apache-2.0
"""AdaRound: each weight is rounded up or down so that its layer's results, not its weights, stay near the float ones.

For a layer y = W x the mean squared error over samples is quadratic in the rounded weights Q (one row each):

    E |Q x' - W x|^2 = Q H Q^T - 2 Q T + const,   H = E[x' x'^T] + d I,   T = E[x' x^T] W^T + d W^T

with x' the input as the quantized layers before give it; d (a part of H's mean diagonal) holds weights that the samples
say little of near their own value. The relaxation of Nagel et al. 2020 is minimised by Adam: Q = floor + h(v) with the
rectified sigmoid h and the term sum of 1 - |2 h - 1|^b, b falling, that drives h to 0 or 1. Then single weights are
flipped as long as that helps, from its result and from plain rounding, and the better one is taken: the error is never
above that of plain rounding. Only H and T are kept of the samples.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tealight.ops._window import windows
from tealight.quant.sweep import Layer

#: Rows of x taken from one sample: positions of an image beyond are skipped at equal distances.
_MAX_ROWS = 1024
_STEPS = 250
_RATE = 0.03
_SWEEPS = 6
_STRETCH = (-0.1, 1.1)
_PUSH = 0.1


@dataclasses.dataclass
class Moments:
    """H [g, k, k] and E[x' x^T] [g, k, k] of the g independent parts of a layer (channels of a depthwise one)."""

    inputs: np.ndarray
    cross: np.ndarray


def adaround(layer: Layer, damping: float = 0.03) -> None:
    """Chooses the rounding of one layer of a sweep; conv2d, depthwise_conv2d and fully_connected.

    Args:
        layer: Its weight is replaced by numbers on its grid.
        damping: d over the mean diagonal of H.
    """
    if layer.node.op not in ("conv2d", "depthwise_conv2d", "fully_connected"):
        return
    weight = layer.weight
    group = weight.shape[0] if layer.node.op == "depthwise_conv2d" else int(layer.node.attrs.get("group", 1))
    shape = (group, weight.shape[0] // group, -1)
    moments = gather(layer, group)
    scale = np.broadcast_to(layer.grid.scale, weight.shape).astype(np.float64)
    zero_point = np.broadcast_to(layer.grid.zero_point, weight.shape)
    low, high = ((limit - zero_point) * scale for limit in (layer.grid.low, layer.grid.high))
    parts = [a.astype(np.float64).reshape(shape) for a in (weight, scale, low, high)]
    layer.set_weight(round_rows(parts[0], parts[1], parts[2], parts[3], moments, damping).reshape(weight.shape))


def gather(layer: Layer, group: int) -> Moments:
    """Returns the moments of a layer's input over the samples."""
    total = None
    for exact, rounded in zip(layer.float_inputs, layer.inputs, strict=True):
        a, b = (_columns(layer, row[0], group) for row in (exact, rounded))
        products = np.stack([b.swapaxes(1, 2) @ b, b.swapaxes(1, 2) @ a]).astype(np.float64) / a.shape[1]
        total = products if total is None else total + products
    assert total is not None
    total /= len(layer.inputs)
    return Moments(total[0], total[1])


def _columns(layer: Layer, x: np.ndarray | None, group: int) -> np.ndarray:
    """Returns the input as rows of the layer's product, float32 [g, rows, k]."""
    assert x is not None
    if layer.node.op == "fully_connected":
        rows = x.reshape(1, -1, x.shape[-1])
    else:
        taps = np.stack([t for row in windows(x, layer.node.attrs, 0.0) for t in row], axis=-2)  # [n, oh, ow, taps, c]
        *_, count, c = taps.shape
        parts = taps.reshape(-1, count, group, c // group)
        rows = parts.transpose(2, 0, 1, 3).reshape(group, -1, count * (c // group))
    return rows[:, :: -(-rows.shape[1] // _MAX_ROWS)]


def round_rows(
    weight: np.ndarray, scale: np.ndarray, low: np.ndarray, high: np.ndarray, moments: Moments, damping: float
) -> np.ndarray:
    """Returns weights on the grid; all float64 [g, o, k].

    Args:
        weight: The float weights.
        scale: Step of each.
        low: Least number of its grid.
        high: Greatest.
        moments: Of the input.
        damping: d over the mean diagonal of H, for each of the g parts.
    """
    k = weight.shape[2]
    d = np.maximum(damping * np.trace(moments.inputs, axis1=1, axis2=2) / k, 1e-12)[:, None, None]
    h = moments.inputs + d * np.eye(k)
    target = weight @ moments.cross.swapaxes(1, 2) + d * weight
    down = np.clip(np.floor(weight / scale) * scale, low, high)
    up = np.clip(down + scale, low, high)
    nearest = np.clip(np.rint(weight / scale) * scale, low, high)
    starts = (nearest, _relax(weight, scale, down, up, h, target))
    candidates = [_flip(start, down, up, h, target) for start in starts]
    errors = [np.sum((q @ h - 2 * target) * q, axis=2, keepdims=True) for q in candidates]
    return np.where(errors[0] <= errors[1], candidates[0], candidates[1])


def _relax(
    weight: np.ndarray, scale: np.ndarray, down: np.ndarray, up: np.ndarray, h: np.ndarray, target: np.ndarray
) -> np.ndarray:
    """Returns the rounding that Adam finds for the relaxed problem."""
    least, greatest = _STRETCH
    fraction = np.clip((weight - down) / scale, 0.01, 0.99)
    v = -np.log((greatest - least) / (fraction - least) - 1)
    # In units of a rounding step of each weight, with H's mean diagonal as 1, all rows learn at one rate.
    size = np.mean(np.diagonal(h, axis1=1, axis2=2), axis=1)[:, None, None] * scale**2
    steps = (up - down).astype(np.float32)
    base, wanted, slopes = (a.astype(np.float32) for a in (down, target, (up - down) / size))
    narrow = h.astype(np.float32)
    v = v.astype(np.float32)
    mean, square = np.zeros_like(v), np.zeros_like(v)
    for step in range(1, _STEPS + 1):
        sigmoid = 1 / (1 + np.exp(-v))
        soft = np.clip(sigmoid * (greatest - least) + least, 0, 1)
        gradient = 2 * ((base + soft * steps) @ narrow - wanted) * slopes
        progress = step / _STEPS
        if progress > 0.2:
            b = 2 + 18 * (1 - (progress - 0.2) / 0.8)
            away = 2 * soft - 1
            gradient -= _PUSH * 2 * b * np.abs(away) ** (b - 1) * np.sign(away)
        gradient *= sigmoid * (1 - sigmoid) * (greatest - least) * ((soft > 0) & (soft < 1))
        mean += 0.1 * (gradient - mean)
        square += 0.001 * (gradient * gradient - square)
        v -= _RATE * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    return np.asarray(np.where(v > 0, up, down))


def _flip(start: np.ndarray, down: np.ndarray, up: np.ndarray, h: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Returns a rounding in which no single weight gains by the other choice (or after _SWEEPS rounds)."""
    q = start.copy()
    slope = q @ h - target  # half the gradient
    for _ in range(_SWEEPS):
        changed = False
        for k in range(q.shape[2]):
            other = np.where(q[:, :, k] == down[:, :, k], up[:, :, k], down[:, :, k])
            step = other - q[:, :, k]
            own = h[:, k, k][:, None]
            gains = 2 * step * slope[:, :, k] + step * step * own < -1e-12 * step * step * own
            if gains.any():
                changed = True
                step = np.where(gains, step, 0.0)
                q[:, :, k] += step
                slope += step[:, :, None] * h[:, None, k]
        if not changed:
            break
    return q
