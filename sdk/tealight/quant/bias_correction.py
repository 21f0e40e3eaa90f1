# SPDX-License-Identifier: Apache-2.0
"""Bias correction: what quantization adds to the mean of a layer's result, per channel, is taken off its bias.

Empirical (Nagel et al. 2019, 4.2 and appendix): both means are measured on samples, layer after layer, with all layers
before already quantized and corrected.
"""

from __future__ import annotations

import numpy as np

from tealight.quant.sweep import Layer


def correct_bias(layer: Layer) -> None:
    """Corrects one layer of a sweep; a change below float32 resolution is left out, and samples without numbers."""
    pairs = zip(layer.outputs(False), layer.outputs(True), strict=True)
    kept = [(a, b) for a, b in pairs if a.size and np.isfinite(a).all() and np.isfinite(b).all()]
    if not kept:
        return
    change = _channel_mean([a for a, _ in kept]) - _channel_mean([b for _, b in kept])
    if np.any(change):
        layer.add_to_bias(change)


def _channel_mean(results: list[np.ndarray]) -> np.ndarray:
    """Returns the mean of each channel over samples and positions, float64 [c]."""
    return np.asarray(np.mean([r.reshape(-1, r.shape[-1]).mean(axis=0, dtype=np.float64) for r in results], axis=0))
