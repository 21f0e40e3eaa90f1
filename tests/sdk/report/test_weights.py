# SPDX-License-Identifier: Apache-2.0
"""Histograms count every weight once, and say which channels waste their range."""

import base64
import io

import numpy as np
import pytest
from graph_builder import Build
from PIL import Image

from tealight.bundle import reader, writer
from tealight.lower.emit import emit
from tealight.report.weights import picture, weight_histograms


@pytest.fixture(scope="module")
def histogram():
    """Of a fully connected layer with a full channel, one of small weights and one of zeros."""
    b = Build()
    weight = np.zeros((3, 64), np.int8)
    weight[0], weight[1, ::2] = np.linspace(-127, 127, 64), 12
    operands = [b.const(v, t) for v, t in ((weight, np.int8), (np.zeros(3), np.int32), (np.ones(3), np.float32))]
    x = b("quantize", b.input(1, 64), b.const(1.0), b.const(0, np.int8), to=4, axis=0)
    output = {"zero_point": 0, "lo": -128, "hi": 127, "wide": False}
    b.graph.outputs = [b("q_fully_connected", x, *operands, x_zero_point=0, weight_zero_point=0, output=output)]
    bundle = reader.read_bundle(writer.to_bytes(emit(b.graph).bundle))
    (found,) = weight_histograms(bundle)
    return found


def test_counts(histogram):
    assert (histogram.op, histogram.dtype, histogram.channels, histogram.idle) == ("q_fully_connected", "int8", 3, 1)
    assert histogram.counts.sum() == 3 * 64 and histogram.counts.sum(axis=0).tolist() == [64, 64, 64]
    assert histogram.counts[0, 0] and histogram.counts[-1, 0]  # reaches both ends
    assert histogram.counts[:, 2].tolist() == [64 * (i == 32) for i in range(64)]
    assert histogram.unused == pytest.approx(1 - 12 / 127)


def test_picture(histogram):
    uri = picture(histogram)
    image = Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,"))))
    alpha = np.asarray(image)[..., 3]
    assert image.size == (3, 64) and alpha[31, 2] == 255 and alpha[:, 2].astype(int).sum() == 255


def test_many_channels_share_columns():
    b = Build()
    rng = np.random.default_rng(0)
    arrays = (rng.integers(-127, 128, (1000, 8)), np.int8), (np.zeros(1000), np.int32), (np.ones(1000), np.float32)
    operands = [b.const(v, t) for v, t in arrays]
    x = b("quantize", b.input(1, 8), b.const(1.0), b.const(0, np.int8), to=4, axis=0)
    output = {"zero_point": 0, "lo": -128, "hi": 127, "wide": False}
    b.graph.outputs = [b("q_fully_connected", x, *operands, x_zero_point=0, weight_zero_point=0, output=output)]
    (found,) = weight_histograms(reader.read_bundle(writer.to_bytes(emit(b.graph).bundle)))
    assert found.channels == 1000 and found.counts.shape == (64, 256) and found.counts.sum() == 8000
