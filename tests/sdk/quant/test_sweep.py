# SPDX-License-Identifier: Apache-2.0
"""The sweep: what methods see is the float model and the model as it will be quantized."""

from __future__ import annotations

import numpy as np
from graph_builder import Build

from tealight.ir.interpret import evaluate
from tealight.quant import sweep as module
from tealight.quant.sweep import Grid, Simulation, run_node, sweep


def two_layers() -> Build:
    b = Build()
    y = b.unary("relu", b("fully_connected", b.input(4, 6), b.normal(5, 6), b.normal(5)))
    b.graph.outputs = [b("fully_connected", y, b.normal(3, 5))]
    return b


def simulation(b: Build) -> Simulation:
    grid = Grid(np.array(0.5, np.float32), -3, 3)
    return Simulation(lambda node: grid if node.op == "fully_connected" else None, {"x": (0.25, 3)})


def test_layers_see_both_worlds(native):
    b, seen = two_layers(), []
    samples = [{"x": b.rng.standard_normal((4, 6)).astype(np.float32)} for _ in range(3)]
    first = b.graph.nodes[0]
    said: list[tuple[str, int, int]] = []
    assert sweep(b.graph, samples, simulation(b), [seen.append], lambda *step: said.append(step)) == 2
    assert said == [("correct layers", i, len(b.graph.nodes)) for i in range(len(b.graph.nodes))]
    one, two = seen
    for k, sample in enumerate(samples):
        assert np.array_equal(one.float_inputs[k][0], sample["x"])
        x = (np.clip(np.rint(sample["x"] / 0.25) + 3, -128, 127) - 3) * np.float32(0.25)
        assert np.array_equal(one.inputs[k][0], x)
        rounded = np.clip(np.rint(first.inputs[1].const / 0.5), -3, 3) * 0.5
        wanted = np.maximum(x @ rounded.T + first.inputs[2].const, 0)
        assert np.allclose(two.inputs[k][0], wanted, atol=1e-5)
        assert np.allclose(one.outputs(True)[k], x @ rounded.T + first.inputs[2].const, atol=1e-5)
        assert np.allclose(
            one.outputs(False)[k], sample["x"] @ first.inputs[1].const.T + first.inputs[2].const, atol=1e-5
        )


def test_changes_are_seen_by_the_layers_behind(native):
    b = two_layers()
    samples = [dict(b.feeds)]
    first, _, second = b.graph.nodes
    inputs = []

    def method(layer):
        if layer.node is first:
            layer.set_weight(np.zeros((5, 6)))
            layer.add_to_bias(np.full(5, 1e6))
        else:
            inputs.append(layer.inputs[0][0])
            layer.add_to_bias(np.ones(3))

    sweep(b.graph, samples, simulation(b), [method])
    assert np.all(inputs[0] > 9e5)
    assert np.array_equal(second.inputs[2].const, np.ones(3))  # it had none
    assert np.all(evaluate(b.graph, b.feeds)[b.graph.outputs[0].name].shape == (4, 3))


def test_samples_are_limited_by_memory(native, monkeypatch):
    b = two_layers()
    seen = []
    monkeypatch.setattr(module, "BUDGET_BYTES", 1)
    sweep(b.graph, [dict(b.feeds)] * 20, simulation(b), [lambda layer: seen.append(len(layer.inputs))])
    assert seen == [4, 4]


def test_a_node_runs_alone_with_its_constants(native):
    b = Build()
    x = b.input(2, 3)
    y = b.binary("add", b.binary("mul", x, x), 2.0)
    b.graph.outputs = [y]
    square = b.graph.nodes[0]
    (got,) = run_node(square, [[b.feeds["x"], b.feeds["x"]]])
    assert np.array_equal(got[0], b.feeds["x"] ** 2)
