# SPDX-License-Identifier: Apache-2.0
"""ONNX models whose height and width are open: imported once, right at every size."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser
from onnx.reference import ReferenceEvaluator
from sdk.frontends.graph_interpreter import evaluate

from tealight.frontends import onnx as frontend

RNG = np.random.default_rng(5)
WEIGHT = RNG.normal(size=(8, 8, 3, 3)).astype(np.float32)


def model_of(body: str) -> onnx.ModelProto:
    """Returns the model of these nodes from x [n, 8, h, w] to y; `w` is WEIGHT."""
    head = '<ir_version: 8, opset_import: ["" : 17]> open (float[n, 8, h, w] x) => (float[a, b, c, d] y)'
    model = parser.parse_model(f"{head} {{ {body} }}")
    model.graph.initializer.append(numpy_helper.from_array(WEIGHT, "w"))
    return model


@pytest.mark.parametrize(
    "body",
    [
        "y = DepthToSpace<blocksize = 2>(x)",
        'y = DepthToSpace<blocksize = 2, mode = "CRD">(x)',
        "y = SpaceToDepth<blocksize = 2>(x)",
        'y = Conv<auto_pad = "SAME_UPPER", strides = [2, 3]>(x, w)',
        'y = Conv<auto_pad = "SAME_LOWER", strides = [2, 3], dilations = [2, 1]>(x, w)',
        'y = MaxPool<auto_pad = "SAME_UPPER", kernel_shape = [3, 2], strides = [2, 2]>(x)',
    ],
)
def test_any_size_is_right(body):
    model = model_of(body)
    graph, judge = frontend.load(model), ReferenceEvaluator(model)
    for n, h, w in ((1, 8, 6), (2, 10, 14)):
        x = RNG.normal(size=(n, 8, h, w)).astype(np.float32) - 3
        got = evaluate(graph, {"x": x})["y"]
        np.testing.assert_allclose(got, judge.run(None, {"x": x})[0], rtol=1e-4, atol=1e-4)
