# SPDX-License-Identifier: Apache-2.0
"""Forms of ops that newer opsets changed: attributes that became operands, other defaults, other meanings."""

from __future__ import annotations

import glob
import os
import re
import warnings
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from sdk.frontends.graph_interpreter import evaluate

from tealight.frontends import onnx as frontend

RNG = np.random.default_rng(7)
X = RNG.normal(size=(2, 6, 4, 5)).astype(np.float32)
V = RNG.normal(size=(6,)).astype(np.float32)
S = np.abs(V) + np.float32(0.5)
LEFT, RIGHT = X.reshape(2, 120)[:, :40], X.reshape(2, 120)[:, 40:]
PADDED = np.pad(X, ((0, 0), (0, 0), (1, 2), (0, 1)), constant_values=2.5)
HIGHEST = np.argsort(-X, axis=1, kind="stable")[:, :2]


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def hardmax(x: np.ndarray) -> np.ndarray:
    return (np.arange(x.shape[-1]) == x.argmax(-1)[..., None]).astype(np.float32)


def normalised(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)


def per_channel(v: np.ndarray) -> np.ndarray:
    return v[:, None, None]


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


#: (op, opset, attributes, x, further operands as constants, expected results)
FORMS: list[tuple[str, int, dict[str, Any], np.ndarray, list[np.ndarray], list[np.ndarray]]] = [
    ("Add", 1, {"broadcast": 1, "axis": 1}, X, [V], [X + per_channel(V)]),
    ("Mul", 6, {"broadcast": 1, "axis": -3}, X, [V], [X * per_channel(V)]),
    ("Sub", 6, {"broadcast": 1}, X, [V[:5]], [X - V[:5]]),
    ("Pow", 1, {"broadcast": 1, "axis": 1}, np.abs(X), [S], [np.abs(X) ** per_channel(S)]),
    ("PRelu", 6, {}, X, [V], [np.where(X < 0, X * per_channel(V), X)]),
    ("Selu", 1, {}, X, [], [1.0507 * np.where(X > 0, X, 1.6732 * np.expm1(X))]),
    ("Cast", 1, {"to": "INT32"}, X, [], [X.astype(np.int32)]),
    ("Gemm", 6, {"broadcast": 1, "alpha": 0.5, "beta": 2.0, "transB": 1}, LEFT, [RIGHT[:, :40], np.float32([3.0])],
     [0.5 * LEFT @ RIGHT[:, :40].T + 6]),
    ("Reshape", 1, {"shape": [0, -1, 2]}, X, [], [X.reshape(2, -1, 2)]),
    ("Tile", 1, {}, X, [np.float32([3]), np.float32([2])], [np.tile(X, (1, 1, 3, 1))]),
    ("Concat", 1, {}, X, [X], [np.concatenate([X, X], 1)]),
    ("Squeeze", 1, {"axes": [1]}, X[:, :1], [], [X[:, 0]]),
    ("Unsqueeze", 1, {"axes": [0, 2]}, V, [], [V[None, :, None]]),
    ("Slice", 1, {"starts": [1, -3], "ends": [5, 100], "axes": [1, 3]}, X, [], [X[:, 1:5, :, -3:]]),
    ("Split", 2, {"axis": 1, "split": [1, 5]}, X, [], [X[:, :1], X[:, 1:]]),
    ("Split", 11, {"axis": 1}, X, [], [X[:, :3], X[:, 3:]]),
    ("Split", 18, {"axis": 3, "num_outputs": 2}, X, [], [X[..., :3], X[..., 3:]]),
    ("Pad", 1, {"paddings": [0, 0, 1, 0, 0, 0, 2, 1], "value": 2.5}, X, [], [PADDED]),
    ("Pad", 2, {"pads": [0, 0, 1, 0, 0, 0, 2, 1], "value": 2.5}, X, [], [PADDED]),
    ("Pad", 2, {"pads": [0, 0, 1, 1, 0, 0, 1, 1], "mode": "reflect"}, X, [],
     [np.pad(X, ((0, 0), (0, 0), (1, 1), (1, 1)), "reflect")]),
    ("TopK", 1, {"k": 2, "axis": 1}, X, [], [np.take_along_axis(X, HIGHEST, 1), HIGHEST]),
    ("TopK", 10, {"axis": 1}, X, [ints(2)], [np.take_along_axis(X, HIGHEST, 1), HIGHEST]),
    ("ReduceSum", 11, {"axes": [1, -1], "keepdims": 0}, X, [], [X.sum((1, 3))]),
    ("ReduceMean", 1, {"axes": [2]}, X, [], [X.mean(2, keepdims=True)]),
    ("Softmax", 11, {}, X[:0], [], [X[:0]]),
    ("Softmax", 1, {"axis": 2}, X, [], [softmax(X.reshape(2, 6, 20)).reshape(X.shape)]),
    ("LogSoftmax", 11, {}, X, [], [np.log(softmax(X.reshape(2, 120))).reshape(X.shape)]),
    ("Hardmax", 11, {}, X, [], [hardmax(X.reshape(2, 120)).reshape(X.shape)]),
    ("Hardmax", 13, {"axis": 1}, X, [], [np.moveaxis(hardmax(np.moveaxis(X, 1, -1)), -1, 1)]),
    ("Dropout", 6, {"is_test": 1}, X, [], [X]),
    ("Dropout", 10, {}, X, [], [X, np.ones(X.shape, bool)]),
    ("BatchNormalization", 6, {"is_test": 1}, X, [V, V, V, S],
     [per_channel(V) * (X - per_channel(V)) / np.sqrt(per_channel(S) + 1e-5) + per_channel(V)]),
    ("BatchNormalization", 7, {"spatial": 0}, X, [X[0], X[1], X[0], np.abs(X[1])],
     [X[0] * (X - X[0]) / np.sqrt(np.abs(X[1]) + 1e-5) + X[1]]),
    ("GroupNormalization", 18, {"num_groups": 2}, X, [V[:2], V[2:4]],
     [normalised(X.reshape(2, 2, -1), (2,)).reshape(X.shape) * per_channel(np.repeat(V[:2], 3))
      + per_channel(np.repeat(V[2:4], 3))]),
    ("GroupNormalization", 21, {"num_groups": 2}, X, [V, S],
     [normalised(X.reshape(2, 2, -1), (2,)).reshape(X.shape) * per_channel(V) + per_channel(S)]),
    ("Upsample", 1, {"height_scale": 2.0, "width_scale": 3.0}, X, [], [X.repeat(2, 2).repeat(3, 3)]),
    ("Upsample", 7, {"scales": [1.0, 1.0, 2.0, 3.0]}, X, [], [X.repeat(2, 2).repeat(3, 3)]),
    ("Upsample", 9, {}, X, [np.float32([1, 1, 2, 3])], [X.repeat(2, 2).repeat(3, 3)]),
    ("Resize", 10, {}, X, [np.float32([1, 1, 2, 3])], [X.repeat(2, 2).repeat(3, 3)]),
    ("Clip", 1, {"min": -0.5}, X, [], [np.maximum(X, np.float32(-0.5))]),
    ("GlobalLpPool", 2, {"p": 3}, X, [], [(np.abs(X) ** 3).sum((2, 3), keepdims=True) ** (1 / 3)]),
    ("Flatten", 1, {"axis": 2}, X, [], [X.reshape(12, 20)]),
    ("ImageScaler", 1, {"scale": 0.5, "bias": [float(v) for v in V]}, X, [], [X * 0.5 + per_channel(V)]),
    ("Affine", 1, {"alpha": 2.0, "beta": -1.0}, X, [], [2 * X - 1]),
    ("ScaledTanh", 1, {"alpha": 2.0, "beta": 0.5}, X, [], [2 * np.tanh(0.5 * X)]),
    ("ParametricSoftplus", 1, {"alpha": 2.0, "beta": 0.5}, X, [], [2 * np.log1p(np.exp(0.5 * X))]),
    ("Crop", 1, {"border": [1, 0, 1, 2]}, X, [], [X[:, :, :2, 1:4]]),
]  # fmt: skip


def kind_of(array: np.ndarray) -> int:
    return helper.np_dtype_to_tensor_dtype(array.dtype)


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f"{f[0]}-{f[1]}-{'-'.join(f[2])}")
def test_form(form):
    op, opset, attrs, x, constants, expected = form
    names = [f"c{i}" for i in range(len(constants))]
    results = [f"y{i}" for i in range(len(expected))]
    graph = helper.make_graph(
        [helper.make_node(op, ["x", *names], results, **attrs)],
        op,
        [helper.make_tensor_value_info("x", kind_of(x), x.shape)],
        [helper.make_tensor_value_info(r, onnx.TensorProto.FLOAT if e.dtype.kind == "f" else kind_of(e), None)
         for r, e in zip(results, expected, strict=True)],
        [numpy_helper.from_array(a, n) for n, a in zip(names, constants, strict=True)],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    outputs = evaluate(frontend.load(model), {"x": x})
    for name, want in zip(results, expected, strict=True):
        assert outputs[name].shape == want.shape
        np.testing.assert_allclose(outputs[name], want, rtol=1e-5, atol=1e-5)


# ---- models of opset 6 to 12 that the onnx package ships ----


def shipped() -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test import loader

        kinds = ("pytorch-operator", "pytorch-converted", "simple")
        cases = [c for kind in kinds for c in loader.load_model_tests(kind=kind)]
    # Four hold uninitialised float64 numbers beyond the range of float32.
    beyond = ("add_broadcast", "add_size1_singleton_broadcast", "add_size1_right_broadcast", "addconstant")
    refused = re.compile("ConvTranspose3d|strnorm|gradient|sequence_model[58]")  # the sequence models have open sizes
    return [c for c in cases if not refused.search(c.name) and c.name.removeprefix("test_operator_") not in beyond]


def read(folder: str, kind: str) -> list[np.ndarray]:
    paths = sorted(glob.glob(os.path.join(folder, f"{kind}_*.pb")), key=lambda p: int(p.split("_")[-1][:-3]))
    tensors = []
    for path in paths:
        with open(path, "rb") as f:
            tensors.append(numpy_helper.to_array(onnx.TensorProto.FromString(f.read())))
    return tensors


@pytest.mark.parametrize("case", shipped(), ids=lambda c: c.name)
def test_shipped_model(case):
    graph = frontend.load(case.model or os.path.join(case.model_dir, "model.onnx"))
    sets = case.data_sets or [
        (read(folder, "input"), read(folder, "output"))
        for folder in sorted(glob.glob(os.path.join(case.model_dir, "test_data_set_*")))
    ]
    assert sets
    for inputs, expected in sets:
        outputs = evaluate(graph, {v.name: np.asarray(a) for v, a in zip(graph.inputs, inputs, strict=True)})
        for got, want in zip(outputs.values(), expected, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-5)
