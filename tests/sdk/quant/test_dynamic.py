# SPDX-License-Identifier: Apache-2.0
"""Layers that quantize their inputs while running."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tealight.bundle import writer
from tealight.emulator.native import NativeSession
from tealight.ir.graph import Graph, Value
from tealight.ir.interpret import evaluate
from tealight.ir.types import DType, TensorType
from tealight.ir.verify import verify
from tealight.lower.emit import emit
from tealight.quant import recipe as recipes
from tealight.quant.apply import apply
from tealight.quant.dynamic import make_dynamic


class _Model:
    def __init__(self) -> None:
        self.rng = np.random.default_rng(4)
        self.graph = g = Graph("main")
        v = g.add_input("x", TensorType(DType.FLOAT32, (2, 8, 8, 16)))
        same = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
        a = self.add("conv2d", [v, self.const(24, 3, 3, 16), self.const(24)], {**same, "winograd": 4})
        b = self.add("conv2d", [a, self.const(24, 3, 3, 24), None, a], {**same, "activation": _act("relu")})
        b = self.add("depthwise_conv2d", [b, self.const(24, 3, 3)], same)
        b = self.add("reshape", [b, g.constant(np.array([16, 8, 24], np.int64))])
        names = [_act("sigmoid"), _act("tanh")]
        b = self.add("rnn", [b, self.const(96, 24), self.const(96, 32)], {
            "kind": "gru", "hidden_size": 32, "activations": names
        })  # fmt: skip
        b = self.add("reshape", [b, g.constant(np.array([16, 256], np.int64))])
        b = self.add("fully_connected", [b, self.const(50, 256), self.const(50)], {"activation": _act("gelu")})
        g.outputs = [self.add("fully_connected", [b, self.const(2, 50)])]

    def const(self, *shape: int) -> Value:
        return self.graph.constant((0.1 * self.rng.standard_normal(shape)).astype(np.float32), "w")

    def add(self, op: str, inputs: list[Value | None], attrs: dict[str, Any] | None = None) -> Value:
        return self.graph.add(op, inputs, attrs, name=f"{op}{len(self.graph.nodes)}")[0]


def _act(kind: str) -> dict[str, Any]:
    return {"kind": kind, "alpha": 0.0, "beta": 0.0}


def test_results_stay_close_and_the_engines_agree(native: None) -> None:
    model = _Model()
    feeds = {"x": np.random.default_rng(1).standard_normal((2, 8, 8, 16)).astype(np.float32)}
    (before,) = evaluate(model.graph, feeds).values()
    notes = make_dynamic(model.graph, dict.fromkeys(model.graph.nodes, False))
    verify(model.graph)
    assert [n.op for n in model.graph.nodes if n.op != "reshape"] == [
        "dynamic_conv2d", "dynamic_conv2d", "depthwise_conv2d", "dynamic_rnn", "dynamic_fully_connected",
        "fully_connected",
    ]  # fmt: skip
    assert notes[0] == ("", "layers with int8 weights that quantize their inputs: 4")
    assert model.graph.nodes[2].inputs[1].dtype is DType.INT8  # type: ignore[union-attr]
    (after,) = evaluate(model.graph, feeds).values()
    assert 0 < np.abs(after - before).max() < 0.05 * np.abs(before).max()
    session = NativeSession(writer.to_bytes(emit(model.graph).bundle))
    (found,) = session.run(feeds).values()
    session.close()
    np.testing.assert_allclose(found, after, atol=2e-3 * np.abs(after).max())


def test_recipe_and_its_rules(native: None) -> None:
    model = _Model()
    rules = [{"op": "rnn", "recipe": "float16"}, {"regex": "conv2d0", "skip": True}]
    apply(model.graph, recipes.load({"recipe": "dynamic_wi8_af32", "rule": rules}), None, {})
    verify(model.graph)
    found = [n.op for n in model.graph.nodes]
    assert found.count("dynamic_conv2d") == 1 and "rnn" in found and "dynamic_fully_connected" in found


def test_each_layer_has_its_own_choice_of_scales() -> None:
    plain, other = _Model(), _Model()
    rule = {"op": "rnn", "weight_observer": "mse"}
    for model, rules in ((plain, []), (other, [rule])):
        apply(model.graph, recipes.load({"recipe": "dynamic_wi8_af32", "rule": rules}), None, {})
    changed = {
        a.op for a, b in zip(plain.graph.nodes, other.graph.nodes, strict=True)
        for v, w in zip(a.inputs, b.inputs, strict=True)
        if v is not None and w is not None and v.const is not None and not np.array_equal(v.const, w.const)
    }  # fmt: skip
    assert changed == {"dynamic_rnn"}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite_stay_float32(bad: float) -> None:
    model = _Model()
    layer = model.graph.nodes[-2]
    layer.inputs[1].const[3, 4] = bad  # type: ignore[union-attr, index]
    notes = dict(make_dynamic(model.graph, dict.fromkeys(model.graph.nodes, False)))
    assert layer.op == "fully_connected" and notes[layer.name].startswith("stays float32")
