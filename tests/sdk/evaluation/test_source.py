# SPDX-License-Identifier: Apache-2.0
"""The source model as a session, with and without ONNX Runtime."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from sdk.evaluation.linear_model import labelled, linear

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


def test_wrong_models_and_inputs_are_named(model, tmp_path):
    with pytest.raises(TealightError, match=r"expected an \.onnx"):
        SourceSession(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(TealightError, match="source model: ONNX Runtime says"):
        SourceSession(tmp_path / "bad.onnx")
    with pytest.raises(TealightError, match="input 'z': not an input of the model"):
        SourceSession(model).run({"z": np.zeros(1)})
