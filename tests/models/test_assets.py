# SPDX-License-Identifier: Apache-2.0
"""Real trained models, end to end: the recorded answers, on every ISA, thread count and emulated phone, bit for bit."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import numpy as np
import pytest
from models.asset_cases import Arrays, AssetCase, float32_onnx_cases, tolerance

import tealight

ROOT = pathlib.Path(__file__).resolve().parents[2]
ASSETS = pathlib.Path(os.environ.get("TEALIGHT_ASSETS", ROOT.parent / "shared" / "assets"))
CASES = float32_onnx_cases(ASSETS) if ASSETS.is_dir() else []

#: Other ways to run, which must give the bits of isa="auto", threads=1.
VARIANTS: list[dict[str, Any]] = [
    {"isa": "x86_avx2"}, {"isa": "scalar"}, {"threads": 2}, {"threads": 4},
    {"device": "cortex-a53"}, {"device": "cortex-a76"}, {"device": "arm64-max"},
]  # fmt: skip

pytestmark = pytest.mark.slow


def identifier(case: AssetCase) -> str:
    """Returns model:case."""
    return f"{case.model.stem}:{case.name}"


def models() -> dict[pathlib.Path, list[AssetCase]]:
    """Returns the cases by model."""
    table: dict[pathlib.Path, list[AssetCase]] = {}
    for case in CASES:
        table.setdefault(case.model, []).append(case)
    return table


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """Builds each model once."""
    folder, built = tmp_path_factory.mktemp("assets"), {}

    def build(model: pathlib.Path) -> pathlib.Path:
        if model not in built:
            built[model] = folder / f"{model.parent.name}-{model.stem}.tea"
            tealight.build(str(model), str(built[model]))
        return built[model]

    return build


def check(case: AssetCase, outputs: Arrays) -> None:
    """Compares with the recorded answers."""
    for name, expected in case.expected().items():
        got = outputs[name].astype(np.float64).reshape(expected.shape)
        limit = tolerance(case, name, expected)
        worst = float(np.abs(got - expected.astype(np.float64)).max(initial=0.0))
        assert worst <= limit, f"{name}: max abs difference {worst:.3g}, expected at most {limit:.3g}"
    if case.row.get("top1") is not None:
        assert int(next(iter(outputs.values())).argmax()) == case.row["top1"]


@pytest.mark.skipif(not CASES, reason=f"real models: {ASSETS} not found; set TEALIGHT_ASSETS")
@pytest.mark.parametrize("case", CASES, ids=identifier)
def test_recorded_answer(case, bundles):
    with tealight.Session(str(bundles(case.model))) as session:
        check(case, case.run(session.run))


@pytest.mark.skipif(not CASES, reason=f"real models: {ASSETS} not found; set TEALIGHT_ASSETS")
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: "-".join(map(str, v.values())))
@pytest.mark.parametrize("model", models(), ids=lambda m: m.stem)
def test_same_bits(model, variant, bundles):
    case = models()[model][0]
    short = "chain" in case.name or case.name == "mnist1000" or case.name.startswith("greedy") or case.name == "windows"
    steps = 3 if short and "device" in variant else None  # emulation is slow: a few steps show the same bits
    with tealight.Session(str(bundles(model))) as session:
        expected = run_steps(case, session, steps)
    with tealight.Session(str(bundles(model)), **variant) as session:
        got = run_steps(case, session, steps)
    for name in expected:
        np.testing.assert_array_equal(got[name], expected[name], strict=True)


class EnoughStepsError(Exception):
    """Ends a chain early."""


def run_steps(case: AssetCase, session: tealight.Session, steps: int | None) -> Arrays:
    """Runs a case, or only its first steps; returns every output of every step."""
    record: Arrays = {}
    count = 0

    def run(inputs: Arrays) -> Arrays:
        nonlocal count
        if steps is not None and count >= steps:
            raise EnoughStepsError
        outputs = session.run(inputs)
        record.update({f"{name}@{count}": value for name, value in outputs.items()})
        count += 1
        return outputs

    try:
        case.run(run)
    except EnoughStepsError:
        pass
    return record
