# SPDX-License-Identifier: Apache-2.0
"""The source model as a session, with and without ONNX Runtime."""

from __future__ import annotations

import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from sdk.evaluation.linear_model import labelled, linear
from sdk.frontends.tflite_cases import Case, f

import tealight
from tealight.errors import TealightError
from tealight.evaluation.source import SourceSession


@pytest.fixture
def model(tmp_path):
    return linear(tmp_path / "m.onnx")


def test_the_source_runs_without_onnx_runtime(model, monkeypatch):
    x, _ = labelled(1)
    wanted = SourceSession(model).run({"x": x})["y"]
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    session = SourceSession(model)
    assert session.engine == "onnx.reference" and str(session.inputs[0]) == "x: float32[1, 6]"
    assert np.allclose(session.run({"x": x})["y"], wanted, atol=1e-6)


@pytest.mark.parametrize("opset", [8, 9, 12, 13, 17])
def test_old_ops_are_judged_alike_with_and_without_onnx_runtime(opset, tmp_path, monkeypatch):
    rng = np.random.default_rng(2)
    values = {k: rng.uniform(0.5, 2, 3).astype(np.float32) for k in ("s", "b", "m", "v")}
    nodes = [helper.make_node("BatchNormalization", ["x", *values], ["n"]), helper.make_node("Softmax", ["n"], ["y"])]
    ports = [helper.make_tensor_value_info(k, TensorProto.FLOAT, [2, 3, 4, 5]) for k in ("x", "y")]
    constants = [numpy_helper.from_array(a, k) for k, a in values.items()]
    graph = helper.make_graph(nodes, "old", ports[:1], ports[1:], constants)
    path = tmp_path / "old.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)
    x = rng.standard_normal((2, 3, 4, 5)).astype(np.float32)
    wanted = SourceSession(path).run({"x": x})["y"]
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert np.allclose(SourceSession(path).run({"x": x})["y"], wanted, atol=1e-6)


def test_damaged_models_are_named_without_onnx_runtime(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(TealightError, match=r"source model: onnx\.reference says"):
        SourceSession(tmp_path / "bad.onnx")


def test_wrong_models_and_inputs_are_named(model, tmp_path):
    with pytest.raises(TealightError, match=r"expected an \.onnx"):
        SourceSession(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(TealightError, match="source model: ONNX Runtime says"):
        SourceSession(tmp_path / "bad.onnx")
    with pytest.raises(TealightError, match="source model: int, expected a path or an onnx"):
        SourceSession(3)
    (tmp_path / "bad.tflite").write_bytes(b"no model")
    with pytest.raises(TealightError, match=r"source model.* LiteRT "):
        SourceSession(tmp_path / "bad.tflite")
    with pytest.raises(TealightError, match="input 'z': not an input of the model"):
        SourceSession(model).run({"z": np.zeros(1)})


def test_tflite_files_are_run_by_litert(tmp_path, native, monkeypatch):
    pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT judges; it is not installed here")
    path = tmp_path / "m.tflite"
    path.write_bytes(Case("RELU", [f(1, 3)], [f(1, 3)]).model())
    rows = np.array([[-1, 2, 3], [4, -5, 1]], np.float32)
    got = tealight.evaluate(str(path), list(rows), labels=[2, 0], recipes=["float32"])
    assert [r.figures["top1"] for r in got.results] == [1.0, 1.0]
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(TealightError, match="LiteRT is not installed, expected it to run this"):
        SourceSession(path)
