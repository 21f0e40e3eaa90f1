# SPDX-License-Identifier: Apache-2.0
"""Links: which channels can be scaled, and that scaling them changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from graph_builder import Build

from tealight.ir.interpret import evaluate
from tealight.ir.types import DType
from tealight.quant import channels
from tealight.quant.channels import ChannelStatistics, find_links

LAYERS = ("conv2d", "depthwise_conv2d", "fully_connected", "layer_norm")
CONV = {"kernel_shape": [1, 1]}


def chain(b: Build, kind: str = "relu", **attrs):
    """conv -> activation -> pool -> depthwise -> flatten -> fully connected."""
    x = b.input(1, 6, 6, 3)
    y = b.unary(kind, b("conv2d", x, b.normal(4, 1, 1, 3), b.normal(4), **CONV), **attrs)
    y = b("max_pool2d", y, kernel_shape=[2, 2], strides=[2, 2])
    y = b("depthwise_conv2d", y, b.normal(4, 3, 3), b.normal(4), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    y = b("reshape", b.unary("relu", y), b.ints(1, 36))
    b.graph.outputs = [b("fully_connected", y, b.normal(5, 36), b.normal(5))]
    return b.graph


def test_links_lead_through_activations_pools_and_flattening():
    first, second = find_links(chain(Build()), LAYERS)
    assert (first.producer.op, [c.op for c in first.consumers]) == ("conv2d", ["depthwise_conv2d"])
    assert (second.producer.op, [c.op for c in second.consumers]) == ("depthwise_conv2d", ["fully_connected"])
    assert first.value.producer is not None and first.value.producer.op == "unary" and first.limit == np.inf
    assert find_links(chain(Build(), "clip", alpha=0.0, beta=6.0), LAYERS)[0].limit == 6.0


def test_scaling_links_keeps_the_result():
    b = Build()
    graph = chain(b)
    before = evaluate(graph, b.feeds)
    for link in find_links(graph, LAYERS):
        channels.scale_link(graph, link, np.array([0.25, 1.0, 3.0, 40.0]))
    after = evaluate(graph, b.feeds)
    for name, array in before.items():
        assert np.allclose(after[name], array, rtol=1e-4, atol=1e-4)


def test_scaling_a_layer_norm_makes_the_scale_it_lacks():
    b = Build()
    y = b("layer_norm", b.input(2, 8), None, b.normal(8))
    b.graph.outputs = [b("fully_connected", y, b.normal(3, 8)), b("fully_connected", y, b.normal(4, 8))]
    before = evaluate(b.graph, b.feeds)
    (link,) = find_links(b.graph, LAYERS)
    assert len(link.consumers) == 2
    channels.scale_link(b.graph, link, np.geomspace(0.1, 10, 8))
    for name, array in evaluate(b.graph, b.feeds).items():
        assert np.allclose(array, before[name], atol=1e-5)


@pytest.mark.parametrize("kind", ["output", "other reader", "not homogeneous", "computed weight", "residual", "across"])
def test_what_cannot_be_scaled_has_no_link(kind):
    b = Build()
    x = b.input(1, 4, 4, 4)
    weight = b.input(4, 1, 1, 4, name="w") if kind == "computed weight" else b.normal(4, 1, 1, 4)
    y = b("conv2d", x, weight, None, *([x] if kind == "residual" else []), **CONV)
    if kind == "not homogeneous":
        y = b.unary("sigmoid", y)
    if kind == "across":  # the mean over channels mixes them
        y = b("reduce", y, b.ints(3), kind="mean")
        b.graph.outputs = [b("conv2d", y, b.normal(2, 1, 1, 1), **CONV)]
    else:
        b.graph.outputs = [b("conv2d", y, b.normal(2, 1, 1, 4), **CONV)]
    if kind == "output":
        b.graph.outputs.append(y)
    if kind == "other reader":
        b.graph.outputs.append(b.unary("exp", y))
    assert find_links(b.graph, LAYERS) == []


def test_statistics_are_those_of_all_rows_in_any_parts(native):
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((30, 4)).astype(np.float32) * [1, 5, 0, 100]
    whole, parts = ChannelStatistics.of(4), ChannelStatistics.of(4)
    whole.update(rows)
    for part in np.split(rows, [7, 7, 20]):
        parts.update(part)
    assert np.allclose(parts.power, whole.power) and np.allclose(whole.power, (rows**2).mean(0))
    assert np.array_equal(parts.bound, np.abs(rows).max(0)) and parts.count == 30

    b = Build()
    graph = chain(b)
    links = find_links(graph, LAYERS)
    table = channels.channel_statistics(graph, links, [b.feeds])
    assert list(table) == [link.value.name for link in links]
    assert all(s.count for s in table.values()) and graph.inputs[0].dtype is DType.FLOAT32
