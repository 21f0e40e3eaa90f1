# SPDX-License-Identifier: Apache-2.0
"""Converters of recurrent layers and SVDF. Integer models compute in float32: states are not rounded between steps.

A layer becomes one `rnn`. With projection or layer norm its steps are spelled out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tealight.frontends.problems import RefusedError
from tealight.frontends.tflite.context import OperatorContext
from tealight.frontends.tflite.registry import converts
from tealight.frontends.tflite.schema import ACTIVATIONS
from tealight.ir.graph import Value
from tealight.ir.types import QuantParams
from tealight.ops.quantize import spread
from tealight.quant import numerics

#: Steps that are spelled out; more would make a huge program.
_MOST_STEPS = 256
_FUNCTIONS = {"RELU": "relu", "TANH": "tanh"}


# ---- LSTM ----


@dataclasses.dataclass(frozen=True)
class _Cell:
    """Where an LSTM's operands are; gates in the file's order: input, forget, cell, output."""

    weights: int
    recurrent: int
    peepholes: int
    biases: int
    projection: int
    state: int
    norms: int | None


_UNIDIRECTIONAL = _Cell(1, 5, 9, 12, 16, 18, 20)
_FORWARD = _Cell(1, 5, 9, 12, 16, 35, None)
_BACKWARD = _Cell(18, 22, 26, 29, 33, 37, None)


@converts("UNIDIRECTIONAL_SEQUENCE_LSTM")
def unidirectional_sequence_lstm(c: OperatorContext) -> Value:
    """An LSTM over time."""
    is_time_first = bool(c.option("time_major", False))
    y = _lstm(c, _time_first(c, c.floats(0), is_time_first), _UNIDIRECTIONAL, "forward")
    return y if is_time_first else c.transpose(y, [1, 0, 2])


@converts("BIDIRECTIONAL_SEQUENCE_LSTM")
def bidirectional_sequence_lstm(c: OperatorContext) -> list[Value]:
    """Two LSTMs over time, one of them backwards."""
    _refuse_auxiliary(c, 39)
    is_time_first = bool(c.option("time_major", True))
    x = _time_first(c, c.floats(0), is_time_first)
    both = [_lstm(c, x, cell, d) for cell, d in ((_FORWARD, "forward"), (_BACKWARD, "reverse"))]
    return _merged(c, both, is_time_first)


@converts("LSTM")
def lstm(c: OperatorContext) -> Value:
    """One step of an LSTM."""
    if c.option("kernel_type") or len(c.results) != 1:
        raise RefusedError("an LSTM of joined weights or with scratch results, expected separate gates and one result")
    x = c.floats(0)
    batch, width = c.dims(x, "the operand")
    y = _lstm(c, c.reshape(x, [1, batch, width]), _UNIDIRECTIONAL, "forward")
    return c.reshape(y, c.dims(y, "the result")[1:])


def _lstm(c: OperatorContext, x: Value, cell: _Cell, direction: str) -> Value:
    """Returns y [t, b, h] of x [t, b, i]."""
    has_norm = cell.norms is not None and any(c.has(cell.norms + g) for g in range(4))
    bounds = [max(float(c.option(k, 0.0)), 0.0) for k in ("cell_clip", "proj_clip")]
    if has_norm or c.has(cell.projection):
        return _spelled(c, x, cell, direction, bounds)
    weights = _gates(c, cell.weights)
    hidden = weights[1].shape[0]
    order = (0, 3, 1, 2)  # input, output, forget, cell
    peepholes = None
    if any(c.has(cell.peepholes + g) for g in range(3)):
        vectors = [_array(c, cell.peepholes + g, hidden) for g in range(3)]
        vectors[0] = vectors[0] if c.has(cell.weights) else -vectors[1]
        peepholes = c.constant(np.concatenate([vectors[0], vectors[2], vectors[1]]), "float32")
    biases = _biases(c, cell, hidden)
    bias = np.concatenate([biases[g] for g in order] + [np.zeros(4 * hidden)])
    operands = [x, _stacked(c, weights, order), _stacked(c, _gates(c, cell.recurrent), order)]
    operands.append(c.constant(bias, "float32"))
    states = [_state(c, cell.state + i, hidden) for i in range(2)]
    names = ["sigmoid", *[_function(c)] * 2]
    every = [*operands, None, *states, peepholes]
    return _rnn(c, "lstm", every, hidden, direction, names, cell_clip=bounds[0])


def _rnn(
    c: OperatorContext, kind: str, operands: Sequence[Value | None], hidden: int, direction: str, names: Sequence[str],
    **more: float,
) -> Value:  # fmt: skip
    """Emits `rnn` of one direction; returns y [t, b, h]."""
    functions = [{"kind": n, "alpha": 0.0, "beta": 0.0} for n in names]
    attrs = {"kind": kind, "hidden_size": hidden, "direction": direction, "activations": functions, **more}
    y = c.emit("rnn", operands, attrs, outputs=3 if kind == "lstm" else 2)[0]
    steps, _, batch, _ = c.dims(y, "the result")
    return c.reshape(y, [steps, batch, hidden])


# ---- weights ----


@dataclasses.dataclass(frozen=True)
class _Weight:
    """A constant: as stored, and what it stands for."""

    stored: np.ndarray
    params: QuantParams | None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.stored.shape

    def real(self) -> np.ndarray:
        """Returns float32 elements."""
        if self.params is None:
            return self.stored.astype(np.float32)
        every = (np.asarray(p) for p in (self.params.scale, self.params.zero_point))
        scale, zero = (
            spread(p, self.shape, max(self.params.axis, 0), self.params.block_size) if p.ndim else p for p in every
        )
        return np.asarray(numerics.dequantize(self.stored, scale, zero))

    def negated(self) -> _Weight:
        return _Weight(-self.real(), None)


def _weight(c: OperatorContext, i: int) -> _Weight:
    value, params = c.weight(i)
    if params is None and value.dtype.kind != "f":
        raise RefusedError(f"weight of {value.dtype} without quantization, expected scales")
    return _Weight(value, params)


def _gates(c: OperatorContext, first: int) -> list[_Weight]:
    """Returns the weights of the four gates.

    Without those of the input gate it is 1 - the forget gate, which is the sigmoid of the negated sum.
    """
    rest = [_weight(c, first + g) for g in (1, 2, 3)]
    weights = [_weight(c, first) if c.has(first) else rest[0].negated(), *rest]
    if any(w.shape != rest[0].shape or len(w.shape) != 2 for w in weights):
        raise RefusedError(f"weights of shapes {[w.shape for w in weights]}, expected equal matrices")
    return weights


def _stacked(c: OperatorContext, weights: Sequence[_Weight], order: Sequence[int]) -> Value:
    """Returns weights below each other; int8 ones of a scale each stay int8."""
    rows = [weights[g] for g in order]
    params = [w.params for w in rows]
    if all(p is not None and p.axis < 0 and not p.zero_point for p in params) and all(
        w.stored.dtype == np.int8 for w in rows
    ):
        scale = np.concatenate([np.full(len(w.stored), p.scale, np.float32) for w, p in zip(rows, params, strict=True)])  # type: ignore[union-attr]
        joined = c.constant(np.concatenate([w.stored for w in rows]))
        return c.emitter.dequantize(c.name, joined, QuantParams(scale, np.zeros(scale.shape, np.int32), 0))
    return c.constant(np.concatenate([w.real() for w in rows]), "float32")


def _array(c: OperatorContext, i: int, size: int) -> np.ndarray:
    """Returns a vector of weights; zeros where it is absent."""
    if not c.has(i):
        return np.zeros(size, np.float32)
    vector = _weight(c, i).real()
    if vector.shape != (size,):
        raise RefusedError(f"operand {i} of shape {list(vector.shape)}, expected [{size}]")
    return vector


def _biases(c: OperatorContext, cell: _Cell, hidden: int) -> list[np.ndarray]:
    """Returns the biases of the four gates."""
    biases = [_bias(c, cell.biases + g, cell.weights + g, hidden) for g in range(4)]
    if not c.has(cell.weights):
        biases[0] = -biases[1]
    return biases


def _bias(c: OperatorContext, i: int, weight: int, size: int) -> np.ndarray:
    """Returns a bias; an integer one has its own scale, or that of x times that of the weights."""
    if not c.has(i) or c.params(i) is not None or c.stored(i).dtype.is_float:
        return _array(c, i, size)
    params = [c.params(k) for k in (0, weight)]
    if None in params:
        raise RefusedError(f"bias of {c.stored(i).dtype.label} without quantization, expected scales")
    scale = np.prod([np.asarray(p.scale, np.float64) for p in params if p is not None], axis=0)
    return np.asarray((c.array(i, "bias") * scale).astype(np.float32))


def _state(c: OperatorContext, i: int, hidden: int) -> Value | None:
    """Returns a first state [1, b, h]; None where it is zero."""
    if not c.has(i):
        return None
    value, params = c.stored(i), c.params(i)
    zero = 0 if params is None else params.zero_point
    if value.const is not None and np.all(value.const == zero):
        return None
    return c.reshape(c.floats(i), [1, -1, hidden])


def _function(c: OperatorContext) -> str:
    name = ACTIVATIONS.get(c.option("activation"), str(c.option("activation")))
    if name not in _FUNCTIONS:
        raise RefusedError(f"activation {name}, expected one of {sorted(_FUNCTIONS)}")
    return _FUNCTIONS[name]


# ---- steps spelled out ----


def _spelled(c: OperatorContext, x: Value, cell: _Cell, direction: str, bounds: Sequence[float]) -> Value:
    """Returns y [t, b, h or projected] of an LSTM, one step after the other."""
    steps, batch, width = c.dims(x, "the operand")
    if not 0 < steps <= _MOST_STEPS:
        raise RefusedError(
            f"projection or layer norm over {steps} steps, expected 1 to {_MOST_STEPS}",
            "fix the number of steps with shapes={input: [..]}",
        )
    order, gates = (0, 1, 2, 3), _gates(c, cell.weights)
    hidden, out = gates[1].shape[0], _weight(c, cell.recurrent + 1).shape[1]
    weights = _stacked(c, gates, order), _stacked(c, _gates(c, cell.recurrent), order)
    states = [_state(c, cell.state + i, size) for i, size in enumerate((out, hidden))]
    h, s = (
        c.constant(np.zeros((batch, size)), "float32") if v is None else c.reshape(v, [batch, size])
        for v, size in zip(states, (out, hidden), strict=True)
    )
    made: list[Value] = []
    for t in range(steps) if direction == "forward" else reversed(range(steps)):
        row = c.reshape(c.slice(x, 0, t, t + 1), [batch, width])
        sums = [c.add("fully_connected", [v, w, None]) for v, w in zip((row, h), weights, strict=True)]
        h, s = _step(c, c.binary("add", *sums), s, cell, bounds)
        made.append(c.reshape(h, [1, batch, out]))
    made = made if direction == "forward" else made[::-1]
    return made[0] if steps == 1 else c.add("concat", made, {"axis": 0})


def _step(c: OperatorContext, sums: Value, state: Value, cell: _Cell, bounds: Sequence[float]) -> tuple[Value, Value]:
    """Returns the next h and the next state of the cell."""
    hidden, function = c.dims(state, "the state")[1], _function(c)
    biases, parts = _biases(c, cell, hidden), [c.slice(sums, 1, g * hidden, (g + 1) * hidden) for g in range(4)]
    peeps = [_array(c, cell.peepholes + g, hidden) for g in range(3)]

    def gate(g: int, peephole: int | None, held: Value) -> Value:
        total = parts[g]
        if peephole is not None and c.has(cell.peepholes + peephole):
            total = c.binary("add", total, c.binary("mul", held, c.constant(peeps[peephole])))
        norm = None if cell.norms is None else cell.norms + g
        if norm is not None and c.has(norm):
            scale = c.constant(_array(c, norm, hidden), "float32")
            total = c.add("layer_norm", [total, scale], {"axis": -1, "epsilon": 1e-8})
        return c.binary("add", total, c.constant(biases[g], "float32"))

    forget = c.unary("sigmoid", gate(1, 1, state))
    given = c.unary("sigmoid", gate(0, 0, state)) if c.has(cell.weights) else None
    given = given or c.binary("sub", c.constant(1.0, "float32"), forget)
    new = c.binary("mul", given, c.unary(function, gate(2, None, state)))
    state = _bounded(c, c.binary("add", c.binary("mul", forget, state), new), bounds[0])
    h = c.binary("mul", c.unary("sigmoid", gate(3, 2, state)), c.unary(function, state))
    if c.has(cell.projection):
        weight = c.constant(_weight(c, cell.projection).real(), "float32")
        bias = c.constant(_array(c, cell.projection + 1, weight.const.shape[0]), "float32")  # type: ignore[union-attr]
        h = _bounded(c, c.add("fully_connected", [h, weight, bias]), bounds[1])
    return h, state


def _bounded(c: OperatorContext, x: Value, bound: float) -> Value:
    return c.unary("clip", x, -bound, bound) if bound > 0 else x


# ---- simple recurrent layers ----


@converts("UNIDIRECTIONAL_SEQUENCE_RNN")
def unidirectional_sequence_rnn(c: OperatorContext) -> Value:
    """A simple recurrent layer over time."""
    is_time_first = bool(c.option("time_major", False))
    y = _simple(c, _time_first(c, c.floats(0), is_time_first), 1, "forward")
    return y if is_time_first else c.transpose(y, [1, 0, 2])


@converts("BIDIRECTIONAL_SEQUENCE_RNN")
def bidirectional_sequence_rnn(c: OperatorContext) -> list[Value]:
    """Two simple recurrent layers over time, one of them backwards."""
    _refuse_auxiliary(c, 9)
    is_time_first = bool(c.option("time_major", False))
    x = _time_first(c, c.floats(0), is_time_first)
    return _merged(c, [_simple(c, x, 1, "forward"), _simple(c, x, 5, "reverse")], is_time_first)


@converts("RNN")
def rnn(c: OperatorContext) -> Value:
    """One step of a simple recurrent layer."""
    x = c.floats(0)
    batch, width = c.dims(x, "the operand")
    y = _simple(c, c.reshape(x, [1, batch, width]), 1, "forward")
    return c.reshape(y, c.dims(y, "the result")[1:])


def _simple(c: OperatorContext, x: Value, first: int, direction: str) -> Value:
    """Returns y [t, b, h] of a layer with weight, recurrent weight, bias and state from operand `first` on."""
    weight, recurrent = _weight(c, first), _weight(c, first + 1)
    hidden = weight.shape[0]
    bias = np.concatenate([_array(c, first + 2, hidden), np.zeros(hidden, np.float32)])
    operands = [x, _stacked(c, [weight], [0]), _stacked(c, [recurrent], [0]), c.constant(bias, "float32")]
    return _rnn(c, "rnn", [*operands, None, _state(c, first + 3, hidden)], hidden, direction, [_function(c)])


def _time_first(c: OperatorContext, x: Value, is_time_first: bool) -> Value:
    if len(x.shape) != 3:
        raise RefusedError(f"operand of rank {len(x.shape)}, expected time, batch and features")
    return x if is_time_first else c.transpose(x, [1, 0, 2])


def _merged(c: OperatorContext, both: list[Value], is_time_first: bool) -> list[Value]:
    """Returns both directions' results, side by side where the options say so."""
    both = both if is_time_first else [c.transpose(y, [1, 0, 2]) for y in both]
    return [c.add("concat", both, {"axis": 2})] if c.option("merge_outputs", False) else both


def _refuse_auxiliary(c: OperatorContext, i: int) -> None:
    if c.has(i):
        raise RefusedError("an auxiliary input, expected one input", "export the layers one by one")


# ---- SVDF ----


@converts("SVDF")
def svdf(c: OperatorContext) -> Value:
    """Filters of rank r: a product over features, then one over the last results of it, which the state keeps."""
    x, rank = c.floats(0), int(c.option("rank", 1))
    features, times = _weight(c, 1), _weight(c, 2)
    filters, memory = times.shape
    if len(x.shape) != 2 or rank < 1 or features.shape[0] != filters or filters % rank:
        raise RefusedError(f"rank {rank} of {filters} filters and features {list(features.shape)}, expected a divisor")
    batch, units = c.dims(x, "the operand")[0], filters // rank
    state = c.reshape(c.floats(4), [batch, filters, memory])
    newest = c.add("fully_connected", [x, _stacked(c, [features], [0]), None])
    parts = [c.slice(state, 2, 1, memory), c.reshape(newest, [batch, filters, 1])]
    state = c.add("concat", parts, {"axis": 2})
    products = c.reshape(c.binary("mul", state, c.constant(times.real(), "float32")), [batch, units, rank * memory])
    y = c.add("reduce", [products, c.int64s([2])], {"kind": "sum", "keepdims": False})
    if c.has(3):
        y = c.binary("add", y, c.constant(_bias(c, 3, 1, units), "float32"))
    return c.activated(y)
