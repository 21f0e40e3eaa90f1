# SPDX-License-Identifier: Apache-2.0
"""SmoothQuant: outliers of normalised activations move into the weights."""

from __future__ import annotations

import numpy as np
import pytest
from graph_builder import Build
from sdk.quant.real_models import agreement, asset, decibels, float_results

import tealight
from tealight._build import import_model
from tealight.ir.interpret import evaluate
from tealight.passes._manager import Options, run_passes
from tealight.quant.apply import EARLY
from tealight.quant.channels import find_links
from tealight.quant.smooth import smooth


def outliers() -> Build:
    """layer_norm -> two layers; one channel is a hundred times as large."""
    b = Build()
    scale = np.ones(16)
    scale[3] = 100
    y = b("layer_norm", b.input(5, 16), b.const(scale), b.normal(16))
    b.graph.outputs = [b("fully_connected", y, b.normal(8, 16)), b("fully_connected", y, b.normal(4, 16))]
    return b


def test_an_outlier_moves_into_the_weights(native):
    b = outliers()
    before = evaluate(b.graph, b.feeds)
    (done,) = smooth(b.graph, [b.feeds])
    assert done.gain > 10
    scale = b.graph.nodes[0].inputs[1].const
    assert np.abs(scale).max() < 40 * np.median(np.abs(scale))
    for name, array in evaluate(b.graph, b.feeds).items():
        assert np.allclose(array, before[name], rtol=1e-4, atol=1e-3)


def test_a_given_strength_is_kept_and_float_layers_are_left(native):
    (done,) = smooth(outliers().graph, [outliers().feeds], strength=0.5)
    assert done.strength == 0.5
    assert smooth(outliers().graph, [outliers().feeds], wanted=lambda node: False) == []


@pytest.mark.slow
def test_a_trained_language_model_keeps_its_next_tokens(assets, tmp_path, native):
    path, samples, _ = asset(assets, "stories260k_llama", "prefill64.onnx")
    wanted = float_results(path, samples, tmp_path)
    graph = import_model(path)
    run_passes(graph, EARLY, Options(), None)
    names = [c.outputs[0].name for link in find_links(graph, ("layer_norm",)) for c in link.consumers]
    found = {}
    for on in (False, True):
        recipe = {
            "recipe": "float32", "observer": "minmax", "min_cosine": 0.0,
            "rule": [{"name": n, "recipe": "static_wi8_ai8"} for n in names],
            "methods": {"equalization": False, "bias_correction": False, "smoothing": on},
        }  # fmt: skip
        tealight.build(path, tmp_path / "q.tea", recipe=recipe, calibration=samples)
        with tealight.Session(tmp_path / "q.tea") as session:
            found[on] = session.run(samples[0])["logits"][None]
    # 30.7 and 33.0 dB measured; 61 and 64 of 64 next tokens.
    assert decibels(wanted, found[True]) > decibels(wanted, found[False]) + 1
    assert agreement(wanted, found[True]) > agreement(wanted, found[False])
