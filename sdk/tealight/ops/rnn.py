# SPDX-License-Identifier: Apache-2.0
"""Rnn: LSTM, GRU and simple recurrent layers (ONNX LSTM-22, GRU-22, RNN-22)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tealight.ir.graph import Node
from tealight.ir.types import DType, Layout, TensorType
from tealight.ops._registry import Case, OpDef, get, register
from tealight.ops._stored import check_stored, restore, stored_operands

#: Gates per kind, in ONNX's order: LSTM i o f c, GRU z r h.
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
#: Activation functions per direction: LSTM f g h, GRU f g, RNN f.
FUNCTIONS = {"lstm": 3, "gru": 2, "rnn": 1}
DIRECTIONS = ("forward", "reverse", "bidirectional")


@register
class Rnn(OpDef):
    """Runs g gates of h units over time, in d = 1 or 2 directions.

    x float32 [t, b, i]; w [d*g*h, i], r [d*g*h, h]; bias [d*2*g*h]? (input part, then recurrent part, per direction);
    sequence_lens int32 [b]?; initial_h, initial_c [d, b, h]?; peepholes [d*3*h]? (i, o, f).
    y [t, d, b, h], y_h [d, b, h], y_c [d, b, h] (LSTM only). After a sequence's end y is 0 and the state is kept.
    clip bounds what the gates' functions get (not the cell state in h(c), as ONNX Runtime has it), cell_clip an LSTM's
    new cell state (as LiteRT has it); 0 means none.
    The formulas are those of the ONNX operators. w and r of another dtype stand for float32(q - zero_point) * scale,
    with scales and zero points [d*g*h]?, or [d*g*h, ceil(i or h / block_size)]?.
    """

    name = "rnn"
    inputs = (
        "x", "w", "r", "bias?", "sequence_lens?", "initial_h?", "initial_c?", "peepholes?",
        "w_scale?", "w_zero_point?", "r_scale?", "r_zero_point?",
    )  # fmt: skip
    outputs = ("y?", "y_h?", "y_c?")
    required = ("kind", "hidden_size", "activations")
    defaults = {
        "direction": "forward", "linear_before_reset": False, "clip": 0.0, "input_forget": False, "block_size": 0,
        "cell_clip": 0.0,
    }  # fmt: skip
    layouts = dict.fromkeys(("w", "r", "w_scale", "w_zero_point", "r_scale", "r_zero_point"), Layout.GEMM_N16)

    def layout_groups(self, node: Node) -> int:
        """Returns one group per direction."""
        return 2 if node.attrs["direction"] == "bidirectional" else 1

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> Sequence[TensorType]:
        """Returns y, y_h and, for an LSTM, y_c."""
        x, w, r, bias, lens, h0, c0, peepholes, *scales = (*inputs, *[None] * 12)[:12]
        assert x is not None and w is not None and r is not None
        kind, hidden = attrs["kind"], attrs["hidden_size"]
        check_stored(self.error, w, scales[0], scales[1], attrs["block_size"])
        check_stored(self.error, r, scales[2], scales[3], attrs["block_size"])
        if kind not in GATES or attrs["direction"] not in DIRECTIONS or hidden < 1:
            raise self.error("kind", found=f"{kind} {attrs['direction']} {hidden}", expected="lstm, gru or rnn")
        d, g = (2 if attrs["direction"] == "bidirectional" else 1), GATES[kind]
        if len(attrs["activations"]) != d * FUNCTIONS[kind]:
            raise self.error("activations", found=len(attrs["activations"]), expected=d * FUNCTIONS[kind])
        if x.rank != 3:
            raise self.error("x", found=x, expected="float32[t, b, i]")
        t, b, i = x.shape
        wanted: list[tuple[str, TensorType | None, tuple[Any, ...]]] = [
            ("x", x, (t, b, i)), ("w", w, (d * g * hidden, i)), ("r", r, (d * g * hidden, hidden)),
            ("bias", bias, (d * 2 * g * hidden,)), ("initial_h", h0, (d, b, hidden)),
            ("initial_c", c0, (d, b, hidden)), ("peepholes", peepholes, (d * 3 * hidden,)),
        ]  # fmt: skip
        for name, operand, shape in wanted:
            is_float = operand is not None and (operand.dtype is DType.FLOAT32 or name in ("w", "r"))
            if operand is not None and not (is_float and _fits(operand.shape, shape)):
                raise self.error(name, found=operand, expected=TensorType(DType.FLOAT32, shape))
        if lens is not None and (lens.dtype is not DType.INT32 or not _fits(lens.shape, (b,))):
            raise self.error("sequence_lens", found=lens, expected=f"int32[{b}]")
        state = TensorType(x.dtype, (d, b, hidden))
        results = [TensorType(x.dtype, (t, d, b, hidden)), state]
        return [*results, state] if kind == "lstm" else results

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> Sequence[np.ndarray]:
        """Steps through time in float64."""
        x, w, r, bias, lens, h0, c0, peepholes, *scales = (*inputs, *[None] * 12)[:12]
        assert x is not None and w is not None and r is not None
        w = restore(w, scales[0], scales[1], attrs["block_size"])
        r = restore(r, scales[2], scales[3], attrs["block_size"])
        return step_through(x, w, r, [bias, lens, h0, c0, peepholes], attrs, lambda rows, weight: rows @ weight.T)

    @staticmethod
    def _directions(direction: str) -> int:
        return 2 if direction == "bidirectional" else 1

    def macs(self, node: Node) -> int:
        """Returns both products of every step."""
        x, r = node.inputs[0], node.inputs[2]
        if x is None or r is None or not x.type.is_static:
            return 0
        t, b, i = (int(v) for v in x.shape)
        return t * b * int(r.shape[0]) * (i + int(r.shape[1]))

    def cases(self) -> list[Case]:
        """Kinds and directions with tails; lengths, states, peepholes, clip, both GRU forms, other activations."""
        rng = np.random.default_rng(8)

        def case(kind: str, t: int, b: int, i: int, h: int, direction: str = "forward", **more: Any) -> Case:
            d, g = self._directions(direction), GATES[kind]
            names = {"lstm": ["sigmoid", "tanh", "tanh"], "gru": ["sigmoid", "tanh"], "rnn": ["tanh"]}[kind]
            names = more.pop("names", names)
            lens, state = more.pop("lens", None), more.pop("state", False)

            def normal(*shape: int) -> np.ndarray:
                return (rng.standard_normal(shape) * 0.4).astype(np.float32)

            inputs: list[Any] = [normal(t, b, i), normal(d * g * h, i), normal(d * g * h, h)]
            inputs.append(normal(d * 2 * g * h) if more.pop("bias", True) else None)
            inputs.append(None if lens is None else np.array(lens, np.int32))
            inputs += [normal(d, b, h) if state else None, normal(d, b, h) if state and kind == "lstm" else None]
            inputs.append(normal(d * 3 * h) if more.pop("peepholes", False) else None)
            activations = [{"kind": n, "alpha": 0.01, "beta": 0.0} for n in names] * d
            stored = more.pop("stored", None)
            attrs = {"kind": kind, "hidden_size": h, "direction": direction, "activations": activations, **more}
            if stored is not None:
                dtype, block_size, asymmetric = stored
                for k in (1, 2):
                    q, scale, zero_point = stored_operands(rng, inputs[k].shape, dtype, block_size, asymmetric)
                    inputs[k] = (q * np.float16(0.4)) if scale is None else q
                    inputs += [None if scale is None else scale * np.float32(0.4), zero_point]
                attrs["block_size"] = block_size
            constants = tuple(k for k in (1, 2, 3, 7, 8, 9, 10, 11) if k < len(inputs) and inputs[k] is not None)
            return Case(inputs, attrs, constants, 2e-5, 5e-6, "errors feed back over the steps", 2 + (kind == "lstm"))

        cases = [case(k, 5, 2, 7, 9, d, state=True) for k in GATES for d in DIRECTIONS]
        cases += [case(k, 4, 3, 5, 16, "bidirectional", lens=[4, 1, 3]) for k in GATES]
        cases += [case("lstm", 3, 2, 4, 19, peepholes=True, clip=0.3), case("lstm", 3, 1, 4, 8, input_forget=True)]
        cases += [case("lstm", 6, 2, 4, 11, "bidirectional", cell_clip=0.125)]
        cases += [case("gru", 4, 2, 6, 33, linear_before_reset=v, bias=v) for v in (False, True)]
        cases += [case("rnn", 4, 1, 3, 5, names=["relu"]), case("rnn", 3, 1, 3, 4, names=["leaky_relu"])]
        cases += [
            case("lstm", 5, 2, 7, 9, "bidirectional", stored=(DType.FLOAT16, 0, False)),
            case("lstm", 11, 1, 40, 128, stored=(DType.INT8, 0, False)),
            case("gru", 4, 2, 6, 33, stored=(DType.INT4, 16, False)),
            case("rnn", 4, 3, 37, 20, "reverse", stored=(DType.UINT4, 32, True)),
        ]
        return [*cases, case("lstm", 11, 1, 40, 128), case("gru", 1, 1, 1, 1), case("lstm", 0, 1, 3, 4, state=True)]


def _fits(shape: Sequence[Any], wanted: Sequence[Any]) -> bool:
    """Whether fixed dims agree."""
    pairs = zip(shape, wanted, strict=False)
    return len(shape) == len(wanted) and all(isinstance(a, str) or isinstance(b, str) or a == b for a, b in pairs)


def step_through(
    x: np.ndarray, w: np.ndarray, r: np.ndarray, rest: Sequence[np.ndarray | None], attrs: dict[str, Any],
    product: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> list[np.ndarray]:  # fmt: skip
    """Runs a layer in float64.

    Args:
        x: [t, b, i].
        w: What multiplies x, rows [d*g*h, ...].
        r: What multiplies h, rows [d*g*h, ...].
        rest: bias, sequence_lens, initial_h, initial_c, peepholes; None or missing at the end where absent.
        attrs: Of the op.
        product: Returns rows [m, k] times (rows of w or r) transposed.

    Returns:
        y, y_h and, for an LSTM, y_c.
    """
    bias, lens, h0, c0, peepholes = (*rest, *[None] * 5)[:5]
    kind, hidden, direction = attrs["kind"], attrs["hidden_size"], attrs["direction"]
    d, g, (t, b, _) = (2 if direction == "bidirectional" else 1), GATES[kind], x.shape
    wide = [np.asarray(a, np.float64).reshape(d, g * hidden, -1) for a in (w, r)]
    biases = np.zeros((d, 2, g * hidden)) if bias is None else bias.astype(np.float64).reshape(d, 2, g * hidden)
    peeps = np.zeros((d, 3, hidden)) if peepholes is None else peepholes.astype(np.float64).reshape(d, 3, hidden)
    ends = np.full(b, t) if lens is None else lens
    y = np.zeros((t, d, b, hidden))
    state = [np.zeros((d, b, hidden)) if s is None else s.astype(np.float64) for s in (h0, c0)]
    per = FUNCTIONS[kind]
    for j in range(d):
        backward = direction == "reverse" or j == 1
        cell = _Cell(kind, wide[0][j], wide[1][j], biases[j], peeps[j], attrs["activations"][j * per :], attrs, product)
        h, c = state[0][j], state[1][j]
        for step in range(t):
            index = ends - 1 - step if backward else np.full(b, step)
            live = step < ends
            now = x[np.where(live, index, 0), np.arange(b)].astype(np.float64)
            new_h, new_c = cell.step(now, h, c)
            h, c = np.where(live[:, None], new_h, h), np.where(live[:, None], new_c, c)
            y[index[live], j, live] = h[live]
        state[0][j], state[1][j] = h, c
    results = [y, *state] if kind == "lstm" else [y, state[0]]
    return [a.astype(np.float32) for a in results]


class _Cell:
    """One direction of a layer."""

    def __init__(
        self, kind: str, w: np.ndarray, r: np.ndarray, bias: np.ndarray, peepholes: np.ndarray,
        activations: Sequence[dict[str, Any]], attrs: dict[str, Any],
        product: Callable[[np.ndarray, np.ndarray], np.ndarray],
    ) -> None:  # fmt: skip
        self.kind, self.w, self.r, self.bias, self.peepholes, self.attrs = kind, w, r, bias, peepholes, attrs
        self.activations, self.product = activations, product

    def function(self, i: int, x: np.ndarray, *, clipped: bool = True) -> np.ndarray:
        """Applies activation function i of this direction, after the clip."""
        clip = self.attrs["clip"] if clipped else 0.0
        bounded = np.clip(x, -clip, clip) if clip > 0 else x
        return np.asarray(get("unary").reference(bounded, **self.activations[i]), np.float64)

    def step(self, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the next h and c."""
        if self.kind == "rnn":
            return self.function(0, self.product(x, self.w) + self.product(h, self.r) + self.bias.sum(axis=0)), c
        return self._gru(x, h, c) if self.kind == "gru" else self._lstm(x, h, c)

    def _lstm(self, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        i, o, f, g = np.split(self.product(x, self.w) + self.product(h, self.r) + self.bias.sum(axis=0), 4, axis=1)
        p = self.peepholes
        i = self.function(0, i + p[0] * c)
        f = 1 - i if self.attrs["input_forget"] else self.function(0, f + p[2] * c)
        c = f * c + i * self.function(1, g)
        if self.attrs["cell_clip"] > 0:
            c = np.clip(c, -self.attrs["cell_clip"], self.attrs["cell_clip"])
        return self.function(0, o + p[1] * c) * self.function(2, c, clipped=False), c

    def _gru(self, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n = h.shape[1]
        from_x, from_h = self.product(x, self.w) + self.bias[0], self.product(h, self.r) + self.bias[1]
        z = self.function(0, from_x[:, :n] + from_h[:, :n])
        r = self.function(0, from_x[:, n : 2 * n] + from_h[:, n : 2 * n])
        if self.attrs["linear_before_reset"]:
            inner = r * from_h[:, 2 * n :]
        else:
            inner = self.product(r * h, self.r[2 * n :]) + self.bias[1, 2 * n :]
        return (1 - z) * self.function(1, from_x[:, 2 * n :] + inner) + z * h, c
