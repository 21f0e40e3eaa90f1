# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers and SVDF of .tflite files against LiteRT."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from sdk.frontends.graph_interpreter import evaluate
from sdk.frontends.tflite_cases import Case, Operand, f

from tealight.errors import UnsupportedOpError
from tealight.frontends import tflite
from tealight.frontends.tflite import reader
from tealight.frontends.tflite.importer import Importer

LSTM, BIDIRECTIONAL_LSTM, SEQUENCE_LSTM, RNN, SEQUENCE_RNN, BIDIRECTIONAL_RNN, SVDF = 14, 69, 71, 7, 31, 70, 6
TANH = {"activation": 4}
FEATURES, UNITS, PROJECTED = 5, 7, 4


class Weights:
    """Seeded constants."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(11)

    def __call__(self, *shape: int, size: float = 0.5) -> Operand:
        """Returns a float constant."""
        return Operand(shape, "float32", (self.rng.standard_normal(shape) * size).astype(np.float32))

    def several(self, count: int, *shape: int) -> list[Operand | None]:
        """Returns as many of them."""
        return [self(*shape) for _ in range(count)]


def variable(*shape: int) -> Operand:
    """A state."""
    return Operand(shape, is_variable=True)


def lstm(*parts: str, batch: int = 2, steps: int = 6, **options: Any) -> Case:
    """A case of an LSTM; parts: cifg, peephole, projection, norm, single (one step)."""
    w, absent = Weights(), [None] * 4
    out = PROJECTED if "projection" in parts else UNITS
    inputs, recurrent = w.several(4, UNITS, FEATURES), w.several(4, UNITS, out)
    peepholes = w.several(3, UNITS) if "peephole" in parts else [None] * 3
    biases, norms = w.several(4, UNITS), w.several(4, UNITS) if "norm" in parts else absent
    if "cifg" in parts:
        for gates in (inputs, recurrent, peepholes, biases, norms):
            gates[0] = None
    projection = [w(PROJECTED, UNITS), w(PROJECTED)] if "projection" in parts else [None, None]
    states: list[Operand | None] = [variable(batch, out), variable(batch, UNITS)]
    is_time_first = options.get("time_major", False)
    shape = (batch,) if "single" in parts else (steps, batch) if is_time_first else (batch, steps)
    operands = [f(*shape, FEATURES), *inputs, *recurrent, *peepholes, *biases, *projection, *states, *norms]
    op, kind = ("LSTM", LSTM) if "single" in parts else ("UNIDIRECTIONAL_SEQUENCE_LSTM", SEQUENCE_LSTM)
    return Case(op, operands, [f(*shape, out)], kind, {**TANH, **options})


def bidirectional_lstm(**options: Any) -> Case:
    """A case of two LSTMs."""
    w = Weights()
    both = [
        [*w.several(4, UNITS, FEATURES), *w.several(4, UNITS, UNITS), *[None] * 3, *w.several(4, UNITS), None, None]
        for _ in range(2)
    ]
    states: list[Operand | None] = [variable(2, UNITS) for _ in range(4)]
    results = [f(6, 2, 2 * UNITS)] if options.get("merge_outputs") else [f(6, 2, UNITS), f(6, 2, UNITS)]
    operands = [f(6, 2, FEATURES), *both[0], *both[1], *states, *[None] * 9]
    return Case("BIDIRECTIONAL_SEQUENCE_LSTM", operands, results, BIDIRECTIONAL_LSTM, {**TANH, **options})


def rnn(op: str, **options: Any) -> Case:
    """A case of simple recurrent layers."""
    w = Weights()
    one = [[w(UNITS, FEATURES), w(UNITS, UNITS), w(UNITS), variable(2, UNITS)] for _ in range(2)]
    if op == "RNN":
        return Case(op, [f(2, FEATURES), *one[0]], [f(2, UNITS)], RNN, {**TANH, **options})
    x = f(6, 2, FEATURES) if options.get("time_major") else f(2, 6, FEATURES)
    if op == "UNIDIRECTIONAL_SEQUENCE_RNN":
        return Case(op, [x, *one[0]], [f(*x.shape[:2], UNITS)], SEQUENCE_RNN, {**TANH, **options})
    results = (
        [f(*x.shape[:2], 2 * UNITS)] if options.get("merge_outputs") else [f(*x.shape[:2], UNITS) for _ in range(2)]
    )
    return Case(op, [x, *one[0], *one[1], *[None] * 3], results, BIDIRECTIONAL_RNN, {**TANH, **options})


def svdf(rank: int, *, bias: bool, **options: Any) -> Case:
    """A case of SVDF."""
    w, memory, units = Weights(), 5, 6
    operands = [f(2, FEATURES), w(units * rank, FEATURES), w(units * rank, memory), w(units) if bias else None]
    state = variable(2, memory * units * rank)
    return Case("SVDF", [*operands, state], [f(2, units)], SVDF, {"rank": rank, **options})


CASES = {
    "lstm": lstm(), "time first": lstm(time_major=True), "cifg": lstm("cifg"), "peephole": lstm("peephole"),
    "cifg, peephole": lstm("cifg", "peephole"), "cell clip": lstm(cell_clip=0.25),
    "projection": lstm("projection", proj_clip=0.5, cell_clip=0.5), "norm": lstm("norm"),
    "everything": lstm("cifg", "peephole", "projection", "norm", time_major=True), "one step": lstm("single"),
    "relu": lstm(activation=1),
    "both ways": bidirectional_lstm(time_major=True), "both ways, merged": bidirectional_lstm(
        time_major=True, merge_outputs=True
    ),
    "rnn step": rnn("RNN"), "rnn": rnn("UNIDIRECTIONAL_SEQUENCE_RNN"),
    "rnn, time first": rnn("UNIDIRECTIONAL_SEQUENCE_RNN", time_major=True, activation=1),
    "rnn both ways": rnn("BIDIRECTIONAL_SEQUENCE_RNN"),
    "rnn both ways, merged": rnn("BIDIRECTIONAL_SEQUENCE_RNN", merge_outputs=True, time_major=True),
    "svdf": svdf(1, bias=True), "svdf of rank 2": svdf(2, bias=False, activation=1),
}  # fmt: skip


def graph_of(case: Case) -> Any:
    """Returns the imported graph of a case."""
    return Importer(reader.parse(case.model(), "x")).run({}, [])


def judged(case: Case) -> list[np.ndarray]:
    """Returns what LiteRT's reference kernels make of a case."""
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT judges; it is not installed here")
    kind = litert.OpResolverType.BUILTIN_REF
    runner = litert.Interpreter(model_content=case.model(), experimental_op_resolver_type=kind)
    runner.allocate_tensors()
    for d in runner.get_input_details():
        runner.set_tensor(d["index"], case.feeds()[d["name"]])
    runner.invoke()
    return [runner.get_tensor(d["index"]) for d in runner.get_output_details()]


@pytest.mark.parametrize("name", CASES)
def test_layers_give_what_the_reference_kernels_give(name: str) -> None:
    case = CASES[name]
    found = evaluate(graph_of(case), case.feeds()).values()
    for got, want in zip(found, judged(case), strict=True):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-6)


def test_every_recurrent_operator_has_a_case() -> None:
    ours = {op for op in tflite.supported() if "LSTM" in op or "RNN" in op or op == "SVDF"}
    assert ours == {case.op for case in CASES.values()}


def test_a_layer_is_one_node_unless_its_steps_are_spelled_out() -> None:
    assert [n.op for n in graph_of(CASES["cifg, peephole"]).nodes].count("rnn") == 1
    assert [n.op for n in graph_of(CASES["projection"]).nodes].count("rnn") == 0


def hybrid() -> Case:
    """An LSTM whose weights are int8 with a scale each."""
    case = lstm()
    for i in range(1, 9):
        o = case.operands[i]
        assert o is not None
        scale = float(np.abs(o.data).max() / 127)
        case.operands[i] = dataclasses.replace(o, dtype="int8", data=np.round(o.data / scale), quant=(scale, 0))
    return case


def test_int8_weights_stay_integers() -> None:
    graph = graph_of(hybrid())
    stored = [n.inputs[0].dtype.label for n in graph.nodes if n.op == "dequantize" and n.inputs[0] is not None]
    assert stored == ["int8", "int8"]
    found = evaluate(graph, hybrid().feeds())["out0"]
    np.testing.assert_allclose(found, judged(hybrid())[0], atol=0.02)  # the judge rounds what it multiplies


def integers() -> Case:
    """An LSTM of int8 operands with an int16 cell."""
    case = hybrid()
    x, y = case.operands[0], case.results[0]
    assert x is not None
    case.operands[0] = dataclasses.replace(x, dtype="int8", quant=(2 / 127, 0))
    case.results = [dataclasses.replace(y, dtype="int8", quant=(1 / 128, 0))]
    for i in range(12, 16):
        o, w = case.operands[i], case.operands[i - 11]
        assert o is not None and w is not None and w.quant is not None
        scale = 2 / 127 * float(w.quant[0])
        case.operands[i] = dataclasses.replace(o, dtype="int32", data=np.round(o.data / scale), quant=(scale, 0))
    h, s = case.operands[18:20]
    assert h is not None and s is not None
    case.operands[18] = dataclasses.replace(h, dtype="int8", quant=(1 / 128, 0))
    case.operands[19] = dataclasses.replace(s, dtype="int16", quant=(2**-12, 0))
    return case


def test_integer_layers_compute_in_float() -> None:
    case, plain = integers(), lstm()
    feeds = case.feeds()
    found = evaluate(graph_of(case), feeds)["out0"].astype(np.float32) / 128
    exact = evaluate(graph_of(plain), {"in0": feeds["in0"].astype(np.float32) * np.float32(2 / 127)})["out0"]
    np.testing.assert_allclose(found, exact, atol=0.02)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (lstm(activation=3), "activation RELU6"),
        (lstm(activation=0), "activation NONE"),
        (lstm("projection", steps=1000), "1000 steps"),
        (lstm("single", kernel_type=1), "joined weights"),
    ],
)
def test_refused_forms_say_why(case: Case, message: str) -> None:
    with pytest.raises(UnsupportedOpError, match=message):
        graph_of(case)
