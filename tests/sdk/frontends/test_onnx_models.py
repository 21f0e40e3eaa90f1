# SPDX-License-Identifier: Apache-2.0
"""Whole models through the ONNX frontend: the real ones with recorded answers, judged by the NumPy definitions."""

from __future__ import annotations

import functools
import os
import pathlib

import numpy as np
import pytest
from models.asset_cases import AssetCase, float32_onnx_cases, tolerance
from sdk.frontends.graph_interpreter import evaluate

from tealight.frontends import onnx as frontend
from tealight.ir.graph import Graph

ROOT = pathlib.Path(__file__).resolve().parents[3]
ASSETS = pathlib.Path(os.environ.get("TEALIGHT_ASSETS", ROOT.parent / "shared" / "assets"))
CASES = float32_onnx_cases(ASSETS) if ASSETS.is_dir() else []
#: Optional: a folder of models exported from PyTorch, <name>.onnx with <name>.npz (in_0, ref_0 ...) beside it.
ZOO = pathlib.Path(os.environ.get("TEALIGHT_ZOO", ROOT.parent / "zoo_models"))
MODELS = sorted(ZOO.glob("*.onnx")) if ZOO.is_dir() else []

#: NumPy takes minutes on these; tests/models runs them on the native engine.
LONG = ("chain", "greedy", "mnist1000")


def cases_of_one_run() -> list[AssetCase]:
    """Returns the first case of each model that NumPy finishes soon."""
    first: dict[pathlib.Path, AssetCase] = {}
    for case in CASES:
        if not case.name.startswith(LONG) and "chain" not in case.name:
            first.setdefault(case.model, case)
    return list(first.values())


@functools.cache
def imported(path: pathlib.Path) -> Graph:
    return frontend.load(path)


@pytest.mark.slow
@pytest.mark.parametrize("case", cases_of_one_run(), ids=lambda c: f"{c.folder.name}:{c.name}")
def test_real_model_gives_the_recorded_answer(case):
    graph = imported(case.model)
    outputs = case.run(lambda feeds: evaluate(graph, feeds))
    for name, expected in case.expected().items():
        got = outputs[name].astype(np.float64).reshape(expected.shape)
        assert np.abs(got - expected).max() <= tolerance(case, name, expected), name


@pytest.mark.parametrize("path", sorted({c.model for c in CASES}), ids=lambda p: f"{p.parent.name}:{p.stem}")
def test_every_real_model_imports(path):
    graph = imported(path)
    assert graph.nodes and graph.outputs


@pytest.mark.slow
@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem)
def test_exported_model_gives_the_reference(path):
    graph = frontend.load(path)
    data = np.load(path.with_suffix(".npz"))
    feeds = {v.name: data[f"in_{i}"] for i, v in enumerate(graph.inputs)}
    outputs = evaluate(graph, feeds)
    for i, value in enumerate(graph.outputs):
        want = data[f"ref_{i}"].astype(np.float64)
        span = float(want.max() - want.min()) or 1.0
        assert np.abs(outputs[value.name] - want).max() <= 1e-4 * span, value.name
