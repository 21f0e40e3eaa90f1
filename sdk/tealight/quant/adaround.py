# SPDX-License-Identifier: Apache-2.0
"""AdaRound: each weight is rounded up or down so that its layer's results, not its weights, stay near the float ones.

For a layer y = W x the mean squared error over samples is quadratic in the rounded weights Q (one row each):

    E |Q x' - W x|^2 = Q H Q^T - 2 Q T + const,   H = E[x' x'^T] + d I,   T = E[x' x^T] W^T + d W^T

with x' the input as the quantized layers before give it; d (a part of H's mean diagonal) holds weights that the samples
say little of near their own value. Nagel et al. 2020 relax this problem and take hundreds of steps of Adam, which turn
the last bits that two machines' matrix products differ in into other weights. Here weights are rounded (up or down) one
after the other, and those to come make up for the error (as in gptq.py), once from either end; then single weights are
flipped as long as that helps, from these two and from plain rounding, and each row takes the best: the error is never
above that of plain rounding. (On random problems it is at most 4 % above that of the relaxation, flipped too.) Only H
and T are kept of the samples.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tealight.ops._window import windows
from tealight.quant.sweep import Layer

#: Rows of x taken from one sample: positions of an image beyond are skipped at equal distances.
_MAX_ROWS = 1024
_SWEEPS = 6
#: Least d over the mean diagonal: keeps the factorisation stable.
_LEAST_DAMPING = 1e-6


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
    weight = layer.weight
    if layer.node.op not in ("conv2d", "depthwise_conv2d", "fully_connected") or not weight.size:
        return
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
        a, b = (_columns(layer, row[0], group).astype(np.float64) for row in (exact, rounded))
        products = np.stack([b.swapaxes(1, 2) @ b, b.swapaxes(1, 2) @ a]) / a.shape[1]
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
    share = max(damping, _LEAST_DAMPING) / k
    d = np.maximum(share * np.trace(moments.inputs, axis1=1, axis2=2), 1e-12)[:, None, None]
    h = moments.inputs + d * np.eye(k)
    target = weight @ moments.cross.swapaxes(1, 2) + d * weight
    down = np.clip(np.floor(weight / scale) * scale, low, high)
    up = np.clip(down + scale, low, high)
    nearest = np.clip(np.rint(weight / scale) * scale, low, high)
    if not np.isfinite(h).all():
        return np.asarray(nearest)
    back = slice(None, None, -1)
    last_first = _carry(down[..., back], up[..., back], h[:, back, back], target[..., back])[..., back]
    best, least = nearest, np.full((*weight.shape[:2], 1), np.inf)
    for start in (nearest, _carry(down, up, h, target), last_first):
        q = _flip(start, down, up, h, target)
        error = np.sum((q @ h - 2 * target) * q, axis=2, keepdims=True)
        best, least = np.where(error < least, q, best), np.minimum(error, least)
    return np.asarray(best)


def _carry(down: np.ndarray, up: np.ndarray, h: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Returns the rounding, weight after weight, in which those to come make up for the error of those before."""
    lower = np.linalg.cholesky(h[:, ::-1, ::-1])
    factor = np.linalg.inv(lower)[:, ::-1, ::-1]  # upper; factor^T factor is the inverse of h
    weight = np.linalg.solve(h, target.swapaxes(1, 2)).swapaxes(1, 2).copy()
    q = np.empty_like(weight)
    for k in range(weight.shape[2]):
        w, low, high = weight[:, :, k], down[:, :, k], up[:, :, k]
        q[:, :, k] = np.where(w - low > high - w, high, low)
        error = (w - q[:, :, k]) / factor[:, k, k][:, None]
        weight[:, :, k + 1 :] -= error[:, :, None] * factor[:, k, None, k + 1 :]
    return q


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
