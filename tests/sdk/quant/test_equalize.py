# SPDX-License-Identifier: Apache-2.0
"""Cross-layer equalization: less noise than before, on made and on real models."""

from __future__ import annotations

import numpy as np
import pytest
from graph_builder import Build
from sdk.quant.real_models import gain

from tealight.ir.interpret import evaluate
from tealight.quant.channels import ChannelStatistics, Reader, find_links
from tealight.quant.equalize import equalize, noise, within_limit

CONV = {"kernel_shape": [1, 1]}


def uneven(kind: str = "relu", **attrs) -> Build:
    """Two convolutions; the channels between have ranges 1 : 1000."""
    b = Build()
    spread = np.geomspace(1, 1000, 8).reshape(8, 1, 1, 1)
    weight = b.const(b.rng.standard_normal((8, 1, 1, 4)) * spread)
    y = b.unary(kind, b("conv2d", b.input(1, 5, 5, 4), weight, **CONV), **attrs)
    b.graph.outputs = [
        b("conv2d", y, b.const(b.rng.standard_normal((3, 1, 1, 8)) / spread.reshape(1, 1, 1, 8)), **CONV)
    ]
    return b


def test_uneven_channels_become_even(native):
    b = uneven()
    before = evaluate(b.graph, b.feeds)
    (done,) = equalize(b.graph, [b.feeds])
    assert done.gain > 100 and done.strength == 1.0
    after = evaluate(b.graph, b.feeds)
    (link,) = find_links(b.graph, ("conv2d",))
    ranges = np.abs(evaluate_value(b, link.value)).max(axis=(0, 1, 2))
    assert ranges.max() < 3 * ranges.min()
    for name, array in before.items():
        assert np.allclose(after[name], array, rtol=1e-4, atol=1e-3)


def test_ranges_of_a_few_rows_are_chance(native):
    b = Build()
    b.graph.outputs = [b.dense(b.unary("relu", b.dense(b.input(4, 16), 24)), 8)]
    (name,) = b.feeds
    assert not equalize(b.graph, [b.feeds])
    assert equalize(b.graph, [{name: b.rng.standard_normal((4, 16)).astype(np.float32)} for _ in range(64)])


def test_channels_that_reach_infinity_are_left(native):
    b = uneven("relu")
    (name,) = b.feeds
    weights = [n.inputs[1] for n in b.graph.nodes if n.op == "conv2d"]
    assert not equalize(b.graph, [b.feeds, {name: np.full_like(b.feeds[name], 3e38)}])
    assert [n.inputs[1] for n in b.graph.nodes if n.op == "conv2d"] == weights


def test_a_layer_without_weights_has_no_link():
    b = Build()
    first = b("fully_connected", b.input(2, 0), b.const(np.zeros((6, 0))))
    b.graph.outputs = [b("fully_connected", b.unary("relu", first), b.normal(3, 6))]
    assert not find_links(b.graph, ("fully_connected",))


def evaluate_value(b: Build, value) -> np.ndarray:
    b.graph.outputs, kept = [value], b.graph.outputs
    result = evaluate(b.graph, b.feeds)[value.name]
    b.graph.outputs = kept
    return result


def test_even_channels_stay_as_they_are(native):
    b = Build()
    y = b.unary("relu", b("conv2d", b.input(1, 9, 9, 4), b.const(np.tile(np.eye(4), (2, 1))[:, None, None]), **CONV))
    b.graph.outputs = [b("conv2d", y, b.const(np.ones((3, 1, 1, 8))), **CONV)]
    b.feeds["x"][:] = 1
    assert equalize(b.graph, [b.feeds]) == []


def test_float_consumers_and_constant_samples_are_left(native):
    b = uneven()
    assert equalize(b.graph, [b.feeds], wanted=lambda node: False) == []
    assert equalize(b.graph, [{"x": np.zeros((1, 5, 5, 4), np.float32)}]) == []


def test_one_scale_a_weight_uses_the_classic_factors(native):
    b = uneven()
    first, second = (n for n in b.graph.nodes if n.op == "conv2d")
    (done,) = equalize(b.graph, [b.feeds], per_channel=lambda node: False)
    assert done.strength == -1
    own = np.abs(first.inputs[1].const.reshape(8, -1)).max(1)
    read = np.abs(second.inputs[1].const.reshape(3, 8)).max(0)
    assert np.allclose(own / read, (own / read).mean(), rtol=0.01)


def test_a_clip_stays_as_active_as_it_was(native):
    b = uneven("clip", alpha=0.0, beta=6.0)
    b.feeds["x"] *= 0.02
    before = evaluate(b.graph, b.feeds)
    (link,) = find_links(b.graph, ("conv2d",))
    assert link.limit == 6.0
    equalize(b.graph, [b.feeds])
    for name, array in evaluate(b.graph, b.feeds).items():
        assert np.allclose(array, before[name], rtol=1e-4, atol=1e-5)
    statistics = ChannelStatistics(np.zeros(8), np.array([6.0, 6, 3, 3, 1, 1, 0.1, 0]), np.ones(8))
    factors = within_limit(link, statistics, np.full(8, 0.01))
    assert factors[:2].tolist() == [1, 1] and np.all(statistics.high / factors <= 6 + 1e-9)


def test_modelled_noise_is_that_of_rounding():
    # Numbers of an int8 range times float weights: only the first term. Checked against rounding itself.
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (20000, 6))
    weight = rng.standard_normal((4, 1, 6))
    statistics = ChannelStatistics.of(6)
    statistics.update(x)
    step_x, step_w = 2 / 255, np.abs(weight).max(axis=(1, 2), keepdims=True) / 127
    rounded = (np.rint(x / step_x) * step_x) @ (np.rint(weight / step_w) * step_w)[:, 0].T
    measured = np.sum((rounded - x @ weight[:, 0].T) ** 2) / len(x)
    assert noise(statistics, [Reader(weight, False)], np.ones(6)) == pytest.approx(measured, rel=0.35)


@pytest.mark.slow
def test_trained_models_gain(assets, tmp_path, native):
    # kws has relu and depthwise layers: one scale for each weight needs the classic form.
    options, method = {"per_channel": False, "observer": "minmax"}, {"equalization": True}
    assert gain(assets, "mlperf_tiny_kws_dscnn/kws_ref.onnx", tmp_path, method, **options) > 8
    # 26.7 and 44.3 dB measured. MobileNetV1 0.25 with relu6, and a scale for each channel: 20.4 and 24.2.
    assert gain(assets, "mobilenet_v1_0.25_128/mobilenet_v1_0.25_128_float.onnx", tmp_path, method) > 1.5
