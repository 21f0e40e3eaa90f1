# SPDX-License-Identifier: Apache-2.0
"""A float graph becomes an integer one by a recipe: the plan, the quantize nodes, the result."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from graph_builder import Build

from tealight.errors import QuantizeError
from tealight.ir.graph import Graph
from tealight.ir.interpret import evaluate
from tealight.ir.types import DType, TensorType
from tealight.quant import recipe as recipes
from tealight.quant.apply import Applied, Data, apply
from tealight.quant.observers import Statistics
from tealight.quant.plan import make_plan
from tealight.quant.recipe import Recipe, Settings
from tealight.quant.rewrite import insert, round_weight, split_activations

STATIC = Recipe("static_wi8_ai8", Settings(recipe="static_wi8_ai8", observer="minmax"))


def rows(n: int, *shape: int, seed: int = 0) -> list[dict[str, np.ndarray]]:
    return [{"x": np.random.default_rng(seed + i).standard_normal(shape).astype(np.float32)} for i in range(n)]


def dense_net() -> Graph:
    """Dense layers, a residual sum, a table, a float tail."""
    b = Build()
    b.spread = 0.2
    x = b.input(4, 32)
    a = b.unary("relu", b.dense(x, 24))
    c = b.unary("silu", b.dense(a, 24))
    d = b.dense(b.binary("add", b.dense(c, 24), a), 10)
    b.graph.outputs = [b("softmax", d)]
    return b.graph


def quantized(graph: Graph, data: list[dict[str, np.ndarray]], recipe: Recipe = STATIC) -> Applied:
    return apply(graph, recipe, Data(data), {})


def test_dense_net_is_integer_but_for_its_ends(native: None) -> None:
    graph = dense_net()
    data = rows(8, 4, 32)
    wanted = [evaluate(graph, d) for d in data]
    applied = quantized(graph, data)
    assert applied.notes == [] and len(applied.calibration_sha256) == 64
    names = [n.op for n in graph.nodes]
    assert names == ["quantize", *["q_fully_connected"] * 4, "dequantize", "softmax"]
    for d, y in zip(data, wanted, strict=True):
        found = evaluate(graph, d)
        assert found.keys() == y.keys()
        (a,), (c,) = found.values(), y.values()
        assert np.abs(a - c).max() < 0.1


def test_slopes_of_channels_are_integer(native: None) -> None:
    b = Build()
    y = b.conv(b.input(1, 8, 8, 3), 8)
    slopes = b.const(np.linspace(-0.3, 1.7, 8, dtype=np.float32))
    b.graph.outputs = [b.conv(b.binary("prelu", y, slopes), 4)]
    data = rows(8, 1, 8, 8, 3)
    (wanted,) = evaluate(b.graph, data[0]).values()
    assert quantized(b.graph, data).notes == []
    assert [n.op for n in b.graph.nodes] == ["quantize", "q_conv2d", "q_binary", "q_conv2d", "dequantize"]
    (found,) = evaluate(b.graph, data[0]).values()
    # Rounding of 40 dB in the input, between the layers and in the result, together: 0.02; without slopes: 0.8.
    assert np.linalg.norm(found - wanted) < 0.03 * np.linalg.norm(wanted)


@pytest.mark.parametrize("spread", [1e-12, 1e-20, 0.0])
def test_activations_that_vanish_are_zero(native: None, spread: float) -> None:
    b = Build()
    b.spread = spread
    x = b.input(4, 32)
    a = b.dense(b.dense(x, 24), 24)
    b.graph.outputs = [b.dense(b.binary("add", b.dense(a, 24), a), 10)]
    quantized(b.graph, rows(4, 4, 32))
    names = [n.op for n in b.graph.nodes]
    assert names.count("q_fully_connected") >= 3
    scales = [v.type.quantization.scale for n in b.graph.nodes for v in n.outputs if v and v.type.quantization]
    assert scales and np.isfinite(1 / np.concatenate([np.ravel(s) for s in scales])).all()
    (y,) = evaluate(b.graph, rows(1, 4, 32)[0]).values()
    assert np.abs(y).max() < 1e-10


def test_values_keep_the_names_of_the_float_graph(native: None) -> None:
    graph = dense_net()
    names = {v.name for v in graph.values()}
    quantized(graph, rows(2, 4, 32))
    integers = [v for n in graph.nodes if n.op == "q_fully_connected" for v in n.outputs]
    assert all(v.name in names and v.type.quantization is not None for v in integers)


def test_values_behind_a_clamp_keep_their_names(native: None) -> None:
    b = Build()
    y = b.unary("clip", b.conv(b.input(1, 8, 8, 3), 8), alpha=0.0, beta=6.0)
    name = y.name
    b.graph.outputs = [b.conv(y, 4)]
    quantized(b.graph, rows(2, 1, 8, 8, 3))
    assert name in [v.name for n in b.graph.nodes if n.op == "q_conv2d" for v in n.outputs]


def test_static_recipe_needs_data() -> None:
    with pytest.raises(QuantizeError, match="no calibration data"):
        apply(dense_net(), STATIC, None, {})


def test_skipped_node_stays_float(native: None) -> None:
    graph = dense_net()
    graph.nodes[2].name = "second"
    rule = recipes.load({"recipe": "static_wi8_ai8", "rule": [{"name": "second", "skip": True}]})
    quantized(graph, rows(2, 4, 32), rule)
    assert [n.op for n in graph.nodes].count("fully_connected") == 1


def test_node_whose_first_output_nobody_reads_stays_as_it_is(native: None) -> None:
    b = Build()
    scores = b.dense(b.dense(b.input(4, 32), 24), 10)
    _, indices = b.many(2, "top_k", scores, b.ints(3))
    assert indices.producer is not None
    indices.producer.outputs[0] = None  # as dead code leaves it
    b.graph.outputs = [scores, indices]
    quantized(b.graph, rows(2, 4, 32))
    names = [n.op for n in b.graph.nodes]
    assert names.count("q_fully_connected") == 2 and names.count("top_k") == 1


def test_skip_holds_between_integer_nodes(native: None) -> None:
    b = Build()
    b.spread = 0.2
    x = b.unary("silu", b.dense(b.input(4, 32), 24))
    b.graph.outputs = [b.dense(b("softmax", b.dense(x, 24)), 10)]
    rules = [{"op": "softmax", "skip": True}, {"op": "unary", "skip": True}]
    applied = quantized(b.graph, rows(2, 4, 32), recipes.load({"recipe": "static_wi8_ai8", "rule": rules}))
    names = [n.op for n in b.graph.nodes]
    assert "softmax" in names and "unary" in names and names.count("q_fully_connected") == 3
    assert "q_softmax" not in names and "lut" not in names
    assert not any("softmax" in text for _, text in applied.notes)


def test_layers_without_a_static_form_have_a_near_one(native: None) -> None:
    rng = np.random.default_rng(6)
    g = Graph("main")
    ids = g.add_input("ids", TensorType(DType.INT64, (5, 1)))
    constants = [
        g.constant((0.2 * rng.standard_normal(s)).astype(np.float32)) for s in ((200, 24), (128, 24), (128, 32))
    ]
    (x,) = g.add("gather", [constants[0], ids], {"axis": 0}, name="embedding")
    gates = [{"kind": k, "alpha": 0.0, "beta": 0.0} for k in ("sigmoid", "tanh", "tanh")]
    attrs = {"kind": "lstm", "hidden_size": 32, "activations": gates}
    (y,) = g.add("rnn", [x, *constants[1:]], attrs, name="memory")
    g.outputs = [y]
    data = [{"ids": rng.integers(0, 200, (5, 1))} for _ in range(3)]
    (before,) = evaluate(g, data[0]).values()
    quantized(g, data)
    assert [n.op for n in g.nodes] == ["gather", "dynamic_rnn"]
    weight = g.nodes[0].inputs[0]
    assert weight is not None and weight.dtype is DType.INT8
    (after,) = evaluate(g, data[0]).values()
    np.testing.assert_allclose(after, before, atol=0.02 * np.abs(before).max())


def test_rule_for_nothing_is_an_error(native: None) -> None:
    rule = recipes.load({"recipe": "static_wi8_ai8", "rule": [{"name": "third", "skip": True}]})
    with pytest.raises(QuantizeError, match="matches no node"):
        quantized(dense_net(), rows(2, 4, 32), rule)


def test_infinity_inside_stays_float(native: None) -> None:
    b = Build()
    a = b.unary("exp", b.binary("mul", b.dense(b.input(1, 8), 8), 100.0))
    b.graph.outputs = [b.dense(b.unary("reciprocal", a), 4)]
    applied = quantized(b.graph, rows(4, 1, 8))
    assert any("infinity" in text for _, text in applied.notes)


def test_channel_without_weights_keeps_its_bias(native: None) -> None:
    b = Build()
    x = b.input(4, 16)
    y = b.unary("relu", b.dense(x, 6))
    weight, bias = (v.const for v in y.producer.inputs[0].producer.inputs[1:3])
    weight[2], bias[2] = 1e-12, 3.0
    b.graph.outputs = [b.dense(y, 3)]
    wanted = evaluate(b.graph, d := rows(1, 4, 16)[0])
    assert quantized(b.graph, [d]).notes == []
    found = evaluate(b.graph, d)
    for name, y in wanted.items():
        assert np.abs(found[name] - y).max() < 0.15 * np.abs(y).max()


# ---- the parts ----


def plan_of(graph: Graph) -> Any:
    return make_plan(graph, {n: STATIC.default for n in graph.nodes})


def test_plan_leaves_the_tail_and_what_only_floats_read() -> None:
    b = Build()
    x = b.input(1, 4, 4, 8)
    prepared = b.binary("mul", x, 0.1)
    y = b.unary("relu", b.conv(prepared, 8))
    boxes = b.unary("sigmoid", y)
    b.graph.outputs = [b("concat", boxes, b.unary("exp", y), axis=-1)]
    plan = plan_of(b.graph)
    assert {n.op for n in plan.nodes} == {"conv2d", "unary"} and len(plan.nodes) == 2
    assert plan.points == [prepared, y]
    assert plan.inside == {y}


def test_plan_quantizes_before_movement() -> None:
    b = Build()
    x = b.input(1, 8, 4, 4)
    turned = b.transpose(x, 0, 2, 3, 1)
    b.graph.outputs = [b.conv(turned, 8)]
    plan = plan_of(b.graph)
    assert plan.points[0] is x and [n.op for n in plan.paths] == ["transpose"]


def test_functions_of_one_tensor_share_a_table() -> None:
    b = Build()
    y = b.conv(b.input(1, 4, 4, 8), 8)
    z = b.binary("mul", b.unary("tanh", b.binary("add", y, 1.0)), 0.5)
    b.graph.outputs = [b.conv(z, 4)]
    assert plan_of(b.graph).points[1:] == [y, z, b.graph.outputs[0]]


def test_residual_stream_stays_float_unless_asked() -> None:
    b = Build()
    x = b.dense(b.input(1, 5, 16), 16)
    stream = b("concat", b.normal(1, 1, 16), x, axis=1)
    total = b.binary("add", b.dense(b("layer_norm", stream, b.normal(16), b.normal(16)), 16), stream)
    b.graph.outputs = [b.dense(b("layer_norm", total), 4)]
    plans = [
        make_plan(b.graph, {n: dataclasses.replace(STATIC.default, residual_stream=r) for n in b.graph.nodes})
        for r in ("float32", "int8")
    ]
    assert {n.op for n in plans[0].nodes} == {"fully_connected"}
    assert {n.op for n in plans[1].nodes} == {"fully_connected", "concat", "layer_norm", "binary"}


def test_range_before_a_function_is_chosen_for_what_the_function_makes() -> None:
    b = Build()
    y = b.conv(b.input(1, 8, 8, 4), 8)
    b.graph.outputs = [b.conv(b.unary("silu", y), 4)]
    settings = {n: Settings(recipe="static_wi8_ai8", observer="mse") for n in b.graph.nodes}
    plan = make_plan(b.graph, settings)
    statistics = {p.name: Statistics() for p in plan.points}
    for s in statistics.values():
        s.update(np.float32(np.random.default_rng(0).uniform(-30, 10, 50000)))
    insert(b.graph, plan, settings, statistics)
    before = next(n for n in b.graph.nodes if n.op == "quantize" and n.inputs[0] is y)
    scale, zero_point = float(before.inputs[1].const), int(before.inputs[2].const)
    assert (-128 - zero_point) * scale > -12  # silu hardly sees what is below
    assert (127 - zero_point) * scale > 9.5


def test_operands_of_a_concat_share_its_quantization() -> None:
    b = Build()
    x = b.input(1, 4, 4, 8)
    first, second = b.conv(x, 8), b.conv(x, 8)
    joined = b("concat", first, second, axis=-1)
    b.graph.outputs = [b.conv(joined, 4)]
    settings = {n: STATIC.default for n in b.graph.nodes}
    plan = make_plan(b.graph, settings)
    statistics = {}
    for i, p in enumerate(plan.points):
        statistics[p.name] = Statistics()
        statistics[p.name].update(np.float32([-1.0, i + 1.0]))
    insert(b.graph, plan, settings, statistics)
    scales = {n.inputs[0].name: float(n.inputs[1].const) for n in b.graph.nodes if n.op == "quantize"}
    assert scales[first.name] == scales[second.name] == scales[joined.name] != scales["x"]


def test_activations_are_taken_out() -> None:
    b = Build()
    y = b.conv(b.input(1, 4, 4, 3), 5, activation={"kind": "clip", "alpha": 0.0, "beta": 6.0})
    b.graph.outputs = [b.conv(y, 2)]
    wanted = evaluate(b.graph, b.feeds)
    assert split_activations(b.graph) == 1
    assert [n.op for n in b.graph.nodes] == ["conv2d", "unary", "conv2d"]
    for name, array in evaluate(b.graph, b.feeds).items():
        assert np.array_equal(array, wanted[name])


def test_rounded_weights_are_symmetric() -> None:
    weight = np.random.default_rng(0).standard_normal((6, 3, 3, 4)).astype(np.float32)
    array, scale = round_weight(weight, STATIC.default)
    assert (
        array.dtype == np.int8
        and array.min() >= -127
        and np.abs(array).reshape(6, -1).max(axis=1).tolist() == [127] * 6
    )
    assert np.abs(array * scale.reshape(6, 1, 1, 1) - weight).max() <= scale.max() * 0.5001
    single = dataclasses.replace(STATIC.default, per_channel=False)
    assert round_weight(weight, single)[1].shape == ()


def test_float32_recipe_runs_all_passes() -> None:
    b = Build()
    x = b.input(1, 4, 4, 3)
    b.graph.outputs = [b.unary("relu", b.conv(x, 5))]
    applied = apply(b.graph, recipes.load("float32"), None, {})
    assert [n.op for n in b.graph.nodes] == ["conv2d"] and b.graph.outputs[0].dtype is DType.FLOAT32
    assert any(p.name == "choose_winograd" for p in applied.passes)


def test_gates_and_rotary_positions_stay_float() -> None:
    b = Build()
    x = b.input(4, 16)
    a = b.dense(x, 16)
    gate = b.binary("mul", b.unary("silu", b.dense(a, 24)), b.dense(a, 24))
    turned = b.binary("add", b.binary("mul", b.dense(a, 16), b.normal(4, 16)), b.dense(a, 16))
    plain = b.binary("add", b.unary("relu", b.dense(a, 16)), b.dense(a, 16))
    b.graph.outputs = [b.dense(gate, 3), b("matmul", turned, b("transpose", b.dense(a, 16), perm=[1, 0]))]
    b.graph.outputs.append(b.dense(plain, 3))
    kept = {v.producer for v in (gate, gate.producer.inputs[0], turned, turned.producer.inputs[0])}
    for stream, expected in (("float32", kept), ("int8", set())):
        settings = Recipe("r", Settings(recipe="static_wi8_ai8", residual_stream=stream)).resolve(b.graph)
        plan = make_plan(b.graph, settings)
        assert set(b.graph.nodes) - plan.nodes - expected == {n for n in b.graph.nodes if n.op == "transpose"}
        assert not expected & plan.nodes and plain.producer in plan.nodes


def test_a_plan_of_observed_values_only() -> None:
    graph = dense_net()
    settings = STATIC.resolve(graph)
    points = [p.name for p in make_plan(graph, settings).points]
    plan = make_plan(graph, settings, observed=points[:-1])
    assert 0 < len(plan.points) < len(points) and {p.name for p in plan.points} <= set(points[:-1])
    assert make_plan(graph, settings, observed=()).points == []
