# SPDX-License-Identifier: Apache-2.0
"""A classifier made to be hard for int8: channels of ranges 1 : 1000, and inputs with outliers.

Its features are fixed, its last layer is fitted by least squares, so that its accuracy is real. Rounding with one scale
per tensor from least and greatest numbers loses most of it; the default recipe must keep it.
"""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import tealight

CLASSES, SIZE, CHANNELS = 10, 12, 32
SPREAD = np.geomspace(1, 1000, CHANNELS)
PLAIN = {
    "recipe": "static_wi8_ai8", "observer": "minmax", "per_channel": False, "min_cosine": 0.0,
    "methods": {"equalization": False, "smoothing": False, "bias_correction": False},
}  # fmt: skip


def pictures(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns float32 [count, 3, SIZE, SIZE] and classes: noisy prototypes; one in five has a pixel times 40."""
    prototypes = np.random.default_rng(0).standard_normal((CLASSES, 3, SIZE, SIZE))
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, count)
    x = prototypes[labels] + 2.2 * rng.standard_normal((count, 3, SIZE, SIZE))
    for i in np.flatnonzero(rng.random(count) < 0.2):
        x[i, rng.integers(3), rng.integers(SIZE), rng.integers(SIZE)] *= 40
    return x.astype(np.float32), labels


def write(path, last: np.ndarray | None = None):
    """Writes conv, relu, depthwise, relu, conv, relu, pool, gemm; without `last` the features are the output."""
    rng = np.random.default_rng(1)
    order = rng.permutation(CHANNELS)
    weights = {
        "w0": rng.standard_normal((CHANNELS, 3, 3, 3)) * SPREAD[order].reshape(-1, 1, 1, 1),
        "b0": rng.standard_normal(CHANNELS) * SPREAD[order],
        "w1": rng.standard_normal((CHANNELS, 1, 3, 3)),
        "b1": rng.standard_normal(CHANNELS) * SPREAD[order],
        "w2": rng.standard_normal((CHANNELS, CHANNELS, 1, 1)) / SPREAD[order].reshape(1, -1, 1, 1),
        "b2": rng.standard_normal(CHANNELS),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w0", "b0"], ["c0"], "conv0", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c0"], ["r0"]),
        helper.make_node("Conv", ["r0", "w1", "b1"], ["c1"], "conv1", group=CHANNELS, pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], "conv2"),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("AveragePool", ["r2"], ["p"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["f"], "flatten"),
    ]
    features = CHANNELS * (SIZE // 2) ** 2
    if last is not None:
        weights |= {"g": last[:-1], "h": last[-1]}
        nodes.append(helper.make_node("Gemm", ["f", "g", "h"], ["y"], "gemm"))
    batch, name, shape = ("n", "f", None) if last is None else (1, "y", [1, CLASSES])
    graph = helper.make_graph(
        nodes,
        "hard",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(a.astype(np.float32), n) for n, a in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return features


def fit(path) -> None:
    """Fits the last layer on seen pictures and writes the whole model."""
    features = write(path)
    x, labels = pictures(3000, 2)
    with tealight_session(path) as session:
        f = np.concatenate([session.run({"x": part})["f"] for part in np.split(x, 30)]).astype(np.float64)
    f = np.concatenate([f, np.ones((len(f), 1))], axis=1)
    size = np.abs(f).mean()
    gram = f.T @ f + 30 * size**2 * np.eye(features + 1)
    write(path, np.linalg.solve(gram, f.T @ np.eye(CLASSES)[labels]))


def tealight_session(path):
    bundle = path.with_suffix(".features.tea")
    tealight.build(path, bundle)
    return tealight.Session(bundle)


@pytest.mark.slow
def test_plain_rounding_fails_and_the_default_recipe_recovers(tmp_path, native):
    model = tmp_path / "hard.onnx"
    fit(model)
    x, labels = pictures(1000, 3)
    calibration, _ = pictures(64, 4)
    table = tealight.evaluate(
        model, list(x), labels=labels, recipes=[PLAIN, "static_wi8_ai8"], calibration=list(calibration)
    )
    source, plain, default = (100 * r.figures["top1"] for r in table.results)
    print(f"top-1: float {source:.1f}, plain {plain:.1f}, default {default:.1f}")
    assert source > 80
    assert plain < source - 10
    assert default >= source - 1
