# SPDX-License-Identifier: Apache-2.0
"""Models that come quantized (.tflite, QDQ ONNX): the recorded answers by integer ops alone, same bits everywhere."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np
import pytest
from models.asset_cases import AssetCase
from models.test_assets import ASSETS, VARIANTS, identifier

import tealight
from tealight.bundle.reader import read_bundle


def int8_cases(assets: pathlib.Path) -> list[AssetCase]:
    """Returns the cases of quantized models, in the order of their folders."""
    cases = []
    for meta in sorted(assets.glob("*/meta.json")):
        for row in json.loads(meta.read_text())["cases"]:
            if row["model"].endswith(".tflite") or "qdq" in row["model"]:
                cases.append(AssetCase(meta.parent, row["name"], row))
            source = row["model"].replace("_qdq.onnx", "_quant.tflite")
            if source != row["model"] and (meta.parent / source).exists():  # its answers are recorded with the twin's
                outputs = {"litert_tflite": row["outputs"]["litert_tflite"]}
                cases.append(AssetCase(meta.parent, row["name"], {**row, "model": source, "outputs": outputs}))
    return cases


CASES = int8_cases(ASSETS) if ASSETS.is_dir() else []
MODELS = sorted({case.model for case in CASES})

#: Steps between our integers and the recording engine's, mean over an output: engines differ by rounding in every
#: layer, which probabilities near 0.5 multiply (the engines of the assets differ by up to 17 steps at the logits).
MEAN_STEPS = 3

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CASES, reason=f"real models: {ASSETS} not found; set TEALIGHT_ASSETS"),
]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: Any) -> Any:
    """Builds each model once; a .tflite model and its QDQ twin have one name each."""
    folder, built = tmp_path_factory.mktemp("int8"), {}

    def build(model: pathlib.Path) -> pathlib.Path:
        if model not in built:
            built[model] = folder / f"{model.parent.name}-{model.name}.tea"
            tealight.build(str(model), str(built[model]))
        return built[model]

    return build


def run(case: AssetCase, session: tealight.Session) -> np.ndarray:
    """Returns the one output of a case; sets of windows are fed row by row."""
    (array,) = case.load("inputs").values()
    name = session.inputs[0].name
    rows = [array] if tuple(session.inputs[0].shape) == array.shape else [row[None] for row in array]
    return np.concatenate([next(iter(session.run({name: row}).values())) for row in rows])


@pytest.mark.parametrize("case", CASES, ids=identifier)
def test_recorded_answer(case: AssetCase, bundles: Any) -> None:
    with tealight.Session(str(bundles(case.model))) as session:
        got = run(case, session)
    for name, expected in case.load("outputs").items():
        assert got.dtype == expected.dtype, name
        steps = np.abs(got.reshape(expected.shape).astype(int) - expected.astype(int))
        assert steps.mean() <= MEAN_STEPS, f"{name}: {steps.mean():.3f} steps from the recorded answer on average"
        if "windows" not in case.name:
            assert got.reshape(-1).argmax() == expected.reshape(-1).argmax(), name
    if case.row.get("top1") is not None:
        assert int(got.reshape(-1).argmax()) == case.row["top1"]


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_every_step_is_an_integer_op(model: pathlib.Path, bundles: Any) -> None:
    bundle = read_bundle(bundles(model))
    floats = [
        step.op
        for program in bundle.programs
        for step in program.instructions
        if step.op in ("quantize", "dequantize", "conv2d", "fully_connected", "softmax", "average_pool2d", "unary")
    ]
    assert not floats


@pytest.mark.parametrize("variant", [{"isa": "x86_avx512"}, *VARIANTS], ids=lambda v: "-".join(map(str, v.values())))
@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_same_bits(model: pathlib.Path, variant: dict[str, Any], bundles: Any) -> None:
    case = next(c for c in CASES if c.model == model)
    (array,) = case.load("inputs").values()
    with tealight.Session(str(bundles(model))) as session:
        name, shape = session.inputs[0].name, tuple(session.inputs[0].shape)
        feed = {name: array if array.shape == shape else array[:1]}
        expected = session.run(feed)
    with tealight.Session(str(bundles(model)), **variant) as session:
        for key, value in session.run(feed).items():
            np.testing.assert_array_equal(value, expected[key], strict=True)
