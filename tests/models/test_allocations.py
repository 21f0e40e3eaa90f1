# SPDX-License-Identifier: Apache-2.0
"""Running a program of fixed shapes allocates nothing: counted by an allocator put before the C library's."""

from __future__ import annotations

import pathlib
import sys

import pytest
from models.asset_cases import float32_onnx_cases
from models.test_int8_assets import int8_cases

import tealight

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))

import promises


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("cases", "least"), [(float32_onnx_cases, 15), (int8_cases, 6)], ids=["float32", "int8"])
def test_later_runs_allocate_nothing(cases, least, threads, assets, tmp_path):
    bundles = []
    for model in sorted({case.model for case in cases(assets)}):
        bundles.append(tmp_path / f"{model.parent.name}-{model.name}.tea")
        tealight.build(str(model), str(bundles[-1]))
    calls = promises.count_allocations(bundles, threads, tmp_path)
    assert calls.pop("control")
    assert len(calls) >= least  # most of the models have fixed shapes
    assert not {path: c for path, c in calls.items() if any(c)}
