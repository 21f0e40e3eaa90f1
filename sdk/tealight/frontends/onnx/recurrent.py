# SPDX-License-Identifier: Apache-2.0
"""Converters of recurrent layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tealight.frontends.onnx.context import NodeContext, RefusedError
from tealight.frontends.onnx.registry import converts
from tealight.ir.graph import Value

_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
_DEFAULTS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}

#: Activation -> kind, and the defaults of alpha and beta where it takes them.
_ACTIVATIONS: dict[str, tuple[str, tuple[float, ...]]] = {
    "relu": ("relu", ()),
    "tanh": ("tanh", ()),
    "sigmoid": ("sigmoid", ()),
    "softsign": ("softsign", ()),
    "softplus": ("softplus", ()),
    "leakyrelu": ("leaky_relu", (0.01,)),
    "thresholdedrelu": ("thresholded_relu", (1.0,)),
    "hardsigmoid": ("hard_sigmoid", (0.2, 0.5)),
    "elu": ("elu", (1.0,)),
}


@converts("LSTM", "GRU", "RNN")
def recurrent(c: NodeContext) -> Sequence[Value]:
    """LSTM, GRU and RNN, in either layout."""
    return _layer(c, c.array(1, "weight W"), c.array(2, "recurrence weight R"), [])


@converts("DynamicQuantizeLSTM", domain="com.microsoft")
def dynamic_quantize_lstm(c: NodeContext) -> Sequence[Value]:
    """LSTM of dynamically quantized models: W [d, i, 4h] and R [d, h, 4h] as integers, their steps as operands 8 to 11.

    Each row is quantized by itself, which is closer to the float model than the one range for all that it asks for.
    """
    (w, w_scale), (r, r_scale) = _integers(c, 1, 8), _integers(c, 2, 10)
    lstm = NodeContext(c.scope, "LSTM", c.name, c.opset, c.inputs[:8], c.attrs, c.wanted)
    if all(-128 <= a.min() and a.max() <= 127 for a in (w, r)):
        return _layer(lstm, w.astype(np.int8), r.astype(np.int8), [w_scale, r_scale])
    return _layer(lstm, w * w_scale[..., None], r * r_scale[..., None], [])


def _integers(c: NodeContext, i: int, scale_at: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns a weight [d, k, n] as [d, n, k] without its zero point, and its scale [d, n]."""
    weight = c.array(i, "weight").transpose(0, 2, 1)
    scale = c.array(scale_at, "scale of the weight").astype(np.float32)
    zero_point = np.zeros((), np.int16) if c.optional(scale_at + 1) is None else c.array(scale_at + 1, "zero point")
    scale, zero_point = (
        np.broadcast_to(a.reshape(-1, 1) if a.ndim < 2 else a, weight.shape[:2]) for a in (scale, zero_point)
    )
    return weight.astype(np.int16) - zero_point[..., None].astype(np.int16), scale


def _layer(c: NodeContext, w: np.ndarray, r: np.ndarray, scales: Sequence[np.ndarray]) -> Sequence[Value]:
    """Adds a layer over weights [d, gates * h, k]; with scales [d, gates * h] they are integers."""
    direction = c.text("direction", "forward")
    directions = 2 if direction == "bidirectional" else 1
    hidden = c.integer("hidden_size", r.shape[-1])
    gates = _GATES[c.op]
    if w.shape[:2] != (directions, gates * hidden) or r.shape != (directions, gates * hidden, hidden):
        raise RefusedError(
            f"W {list(w.shape)} and R {list(r.shape)}, "
            f"expected [{directions}, {gates * hidden}, ..] for hidden_size {hidden}"
        )
    batch_first = bool(c.integer("layout", 0))
    x = c.input(0)
    states = [c.optional(5), c.optional(6) if c.op == "LSTM" else None]
    if batch_first:
        x = c.transpose(x, [1, 0, 2])
        states = [None if v is None else c.transpose(v, [1, 0, 2]) for v in states]
    operands = [
        x,
        c.constant(np.ascontiguousarray(w.reshape(directions * gates * hidden, -1)), name=f"{c.name}.w"),
        c.constant(np.ascontiguousarray(r.reshape(directions * gates * hidden, hidden)), name=f"{c.name}.r"),
        *[c.constant(scale.reshape(-1), name=f"{c.name}.scale") for scale in scales],
        _flat(c, 3),
        c.optional(4),
        *states,
        _flat(c, 7) if c.op == "LSTM" else None,
    ]
    attrs = {
        "kind": c.op.lower(),
        "direction": direction,
        "hidden_size": hidden,
        "linear_before_reset": bool(c.integer("linear_before_reset", 0)),
        "activations": _activations(c, directions),
        "clip": c.number("clip", 0.0),
        "input_forget": bool(c.integer("input_forget", 0)),
    }
    results = c.emit("dynamic_rnn" if scales else "rnn", operands, attrs, outputs=3 if c.op == "LSTM" else 2)
    y, last = results[0], results[1:]
    # y [t, d, b, h]: the foreign op has the same, or [b, t, d, h] with layout 1
    if batch_first:
        return [c.transpose(y, [2, 0, 1, 3]), *[c.transpose(s, [1, 0, 2]) for s in last]]
    return [y, *last]


def _flat(c: NodeContext, i: int) -> Value | None:
    """Returns a bias or peephole operand as a vector."""
    value = c.optional(i)
    if value is None:
        return None
    return c.constant(np.ascontiguousarray(c.array(i, "bias").reshape(-1)), name=f"{c.name}.{'bp'[i == 7]}")


def _activations(c: NodeContext, directions: int) -> list[dict[str, object]]:
    """Returns an activation per gate function and direction, with its parameters."""
    names = [str(n) for n in c.attrs.get("activations", [])] or _DEFAULTS[c.op] * directions
    count = len(_DEFAULTS[c.op]) * directions
    if len(names) != count:
        raise RefusedError(f"{len(names)} activations, expected {count}")
    alphas = iter([float(v) for v in c.attrs.get("activation_alpha", [])])
    betas = iter([float(v) for v in c.attrs.get("activation_beta", [])])
    result: list[dict[str, object]] = []
    for name in names:
        if name.lower() not in _ACTIVATIONS:
            raise RefusedError(f"activation {name}, expected one of {sorted(_ACTIVATIONS)}")
        kind, defaults = _ACTIVATIONS[name.lower()]
        alpha = next(alphas, defaults[0]) if defaults else 0.0
        beta = next(betas, defaults[1]) if len(defaults) > 1 else 0.0
        result.append({"kind": kind, "alpha": alpha, "beta": beta})
    return result
