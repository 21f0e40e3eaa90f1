# SPDX-License-Identifier: Apache-2.0
"""AdaRound: results, not weights, stay near; never worse than plain rounding by its own measure."""

from __future__ import annotations

import functools
import itertools
import types

import numpy as np
import pytest
from graph_builder import Build
from sdk.quant.real_models import gain

from tealight.ir.graph import Node
from tealight.quant.adaround import Moments, adaround, gather, round_rows
from tealight.quant.sweep import Grid, Simulation, sweep

RNG = np.random.default_rng(4)


def problem(o: int, k: int, rows: int = 400):
    x = RNG.standard_normal((rows, k)) @ RNG.standard_normal((k, k))  # correlated
    weight = RNG.standard_normal((1, o, k))
    moment = (x.T @ x / rows)[None]
    return x, weight, Moments(moment, moment)


def limits(weight, scale):
    return np.full_like(weight, scale), np.full_like(weight, -8 * scale), np.full_like(weight, 7 * scale)


def test_small_problems_are_near_the_best_rounding():
    x, weight, moments = problem(3, 8)
    scale = 0.5
    found = round_rows(weight, *limits(weight, scale), moments, 1e-9)[0]
    assert np.allclose(found / scale, np.rint(found / scale)) and np.all(np.abs(found - weight[0]) < scale)
    for row, target in zip(found, weight[0], strict=True):
        down = np.clip(np.floor(target / scale), -8, 6)
        best = min(
            np.mean((x @ ((down + choice) * scale - target)) ** 2) for choice in itertools.product((0, 1), repeat=8)
        )
        plain = np.mean((x @ (np.rint(target / scale) * scale - target)) ** 2)
        own = np.mean((x @ (row - target)) ** 2)
        assert own <= plain * (1 + 1e-9)
        assert own <= best + 0.25 * (plain - best)


def test_it_beats_plain_rounding_by_far_where_inputs_are_correlated():
    x, weight, moments = problem(16, 60)
    found = round_rows(weight, *limits(weight, 0.4), moments, 1e-3)[0]
    plain = np.rint(weight[0] / 0.4) * 0.4
    errors = [np.mean((x @ (q - weight[0]).T) ** 2) for q in (found, plain)]
    assert errors[0] < 0.5 * errors[1]


def test_damping_holds_weights_the_data_says_nothing_of():
    _, weight, moments = problem(4, 6)
    moments.inputs[:, :, 2:] = moments.inputs[:, 2:] = 0
    found = round_rows(weight, *limits(weight, 0.4), Moments(moments.inputs, moments.inputs), 0.01)
    assert np.allclose(found[..., 2:], np.rint(weight[..., 2:] / 0.4) * 0.4)


@pytest.mark.parametrize("op", ["conv2d", "group conv2d", "depthwise_conv2d", "fully_connected"])
def test_layers_of_every_kind_come_nearer(native, op):
    b = Build()
    x = b.input(1, 8, 8, 4)
    window = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    if op == "fully_connected":
        y = b(op, x, b.normal(6, 4), b.normal(6))
    elif op == "depthwise_conv2d":
        y = b(op, x, b.normal(4, 3, 3), b.normal(4), **window)
    else:
        group = 2 if "group" in op else 1
        y = b("conv2d", x, b.normal(6, 3, 3, 4 // group), b.normal(6), group=group, **window)
    b.graph.outputs = [y]
    mix = b.rng.standard_normal((4, 4))
    samples = [{"x": (2 + b.rng.standard_normal((1, 8, 8, 4)) @ mix).astype(np.float32)} for _ in range(6)]
    grid = Grid(np.array(0.5, np.float32), -7, 7)
    errors = []

    def error(layer):
        pairs = zip(layer.outputs(True), layer.outputs(False), strict=True)
        errors.append(sum(float(((a - b) ** 2).sum()) for a, b in pairs))

    both = Simulation(lambda node: grid, {})
    sweep(b.graph, samples, both, [error, functools.partial(adaround, damping=0.001), error])
    assert errors[1] < 0.9 * errors[0]
    weight = b.graph.nodes[0].inputs[1].const
    assert np.array_equal(weight, np.rint(weight / 0.5) * np.float32(0.5))


@pytest.mark.slow
def test_a_trained_model_comes_nearer(assets, tmp_path, native):
    options = {"per_channel": False, "observer": "minmax"}
    assert gain(assets, "mlperf_tiny_kws_dscnn/kws_ref.onnx", tmp_path, {"adaround": True}, **options) > 3
    # 26.7 and 44.3 dB measured


def test_last_bits_of_a_machine_decide_nothing():
    """Moments that are summed in another order (as another machine's matrix product has it) give the same weights."""
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((300, 160)) @ rng.standard_normal((160, 160))).astype(np.float32)
    weight = rng.standard_normal((1, 200, 160))
    order = rng.permutation(len(x))
    found = []
    for rows in (x, x[order]):
        layer = types.SimpleNamespace(
            node=Node("fully_connected", [], []), float_inputs=[[rows]], inputs=[[rows + np.float32(0.25)]]
        )
        found.append(round_rows(weight, *limits(weight, 0.3), gather(layer, 1), 0.001))
    assert np.array_equal(*found)


def test_weights_without_damping_and_of_dependent_inputs():
    x, weight, _ = problem(4, 12)
    x[:, 6:] = x[:, :6]
    moment = (x.T @ x / len(x))[None]
    found = round_rows(weight, *limits(weight, 0.4), Moments(moment, moment), 0.0)
    assert np.isfinite(found).all()


def test_large_activations_do_not_overflow():
    rng = np.random.default_rng(8)
    rows = (1e25 * rng.standard_normal((50, 8))).astype(np.float32)
    layer = types.SimpleNamespace(node=Node("fully_connected", [], []), float_inputs=[[rows]], inputs=[[rows]])
    assert np.isfinite(gather(layer, 1).inputs).all()


def test_a_layer_without_weights_stays():
    b = Build()
    b.graph.outputs = [b("fully_connected", b.input(2, 0), b.const(np.zeros((6, 0))))]
    (node,) = b.graph.nodes
    before = node.inputs[1]
    simulation = Simulation(lambda n: Grid(np.ones((6, 1), np.float32), -127, 127), {})
    assert sweep(b.graph, [b.feeds], simulation, [adaround]) == 1 and node.inputs[1] is before
