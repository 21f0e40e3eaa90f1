# SPDX-License-Identifier: Apache-2.0
"""What the recipes with float32 activations do to trained models: accuracy on their data, text, scores, sizes.

pytest tests/models/test_weight_recipes.py -s    # prints the table
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from models.asset_cases import Arrays, AssetCase, float32_onnx_cases, transform

import tealight

ROOT = pathlib.Path(__file__).resolve().parents[2]
ASSETS = pathlib.Path(os.environ.get("TEALIGHT_ASSETS", ROOT.parent / "shared" / "assets"))
CASES = {(c.folder.name, c.name): c for c in float32_onnx_cases(ASSETS)} if ASSETS.is_dir() else {}

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CASES, reason=f"real models: {ASSETS} not found")]

INT4 = "weight_only_wi4_af32"
SYMMETRIC: dict[str, Any] = {"recipe": INT4, "weight_symmetric": True}
ASYMMETRIC: dict[str, Any] = {"recipe": INT4, "block_size": 128, "weight_symmetric": False}


def feeds(case: AssetCase) -> Arrays:
    """Returns the inputs of a case as the model wants them."""
    return {k: transform(v, case.row.get("input_transform", {}).get(k)) for k, v in case.load("inputs").items()}


def first(outputs: Arrays) -> np.ndarray:
    """Returns the first result."""
    return next(iter(outputs.values()))


@dataclasses.dataclass(frozen=True)
class Model:
    """A trained model and its figure of merit.

    Attributes:
        path: Below the assets.
        score: Of a session: per cent, higher is better (the autoencoder: its anomaly score, as near as possible).
        samples: Calibration data.
    """

    path: str
    score: Callable[[Any], float]
    samples: Callable[[], list[Arrays]]


def _mnist_rows() -> np.ndarray:
    return feeds(CASES["mnist_cntk_onnx", "mnist1000"])["Input3"]


def _mnist(session: Any) -> float:
    case = CASES["mnist_cntk_onnx", "mnist1000"]
    labels = np.load(case.folder / case.row["labels"])
    found = [first(session.run({"Input3": row[None]})).argmax() for row in _mnist_rows()]
    return float(100 * np.mean(np.array(found) == labels))


def _iris(session: Any) -> float:
    case = CASES["iris_mlp", "onnx150"]
    return float(100 * np.mean(first(session.run(feeds(case))).argmax(-1) == np.load(case.folder / case.row["labels"])))


def _cases(folder: str) -> list[AssetCase]:
    return [c for (f, _), c in CASES.items() if f == folder]


def _same_answer(folder: str) -> Callable[[Any], float]:
    def score(session: Any) -> float:
        pairs = [(first(session.run(feeds(c))), first(c.load("outputs"))) for c in _cases(folder)]
        return float(100 * np.mean([a.argmax() == b.argmax() for a, b in pairs]))

    return score


def _windows() -> np.ndarray:
    return feeds(CASES["mlperf_tiny_ad_autoencoder", "windows"])["input"]


def _anomaly(session: Any) -> float:
    return float(np.mean([((first(session.run({"input": row[None]})) - row) ** 2).mean() for row in _windows()]))


def _next_words(session: Any) -> float:
    """The text's own words, each predicted from those before it."""
    tokens = feeds(CASES["stories260k_llama", "prefill64"])["tokens"]
    return float(100 * np.mean(first(session.run({"tokens": tokens}))[0, :-1].argmax(-1) == tokens[0, 1:]))


MODELS = {
    "mnist": Model("mnist_cntk_onnx/mnist.onnx", _mnist, lambda: [{"Input3": r[None]} for r in _mnist_rows()[::25]]),
    "iris": Model("iris_mlp/Network.onnx", _iris, lambda: [feeds(CASES["iris_mlp", "onnx150"])]),
    "keywords": Model(
        "mlperf_tiny_kws_dscnn/kws_ref.onnx",
        _same_answer("mlperf_tiny_kws_dscnn"),
        lambda: [feeds(c) for c in _cases("mlperf_tiny_kws_dscnn")],
    ),
    "cifar10": Model(
        "mlperf_tiny_resnet8_cifar10/resnet8.onnx",
        _same_answer("mlperf_tiny_resnet8_cifar10"),
        lambda: [feeds(c) for c in _cases("mlperf_tiny_resnet8_cifar10")],
    ),
    "anomaly": Model(
        "mlperf_tiny_ad_autoencoder/ad01.onnx", _anomaly, lambda: [{"input": r[None]} for r in _windows()[::4]]
    ),
    "story": Model("stories260k_llama/prefill64.onnx", _next_words, list),
}  # fmt: skip


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[float, int]]:
    """Returns score and file size of a model by a recipe; each is built once."""
    folder, known = tmp_path_factory.mktemp("recipes"), {}

    def measure(name: str, recipe: Any, calibrated: bool = False) -> tuple[float, int]:
        key = (name, str(recipe), calibrated)
        if key not in known:
            path, model = folder / f"{len(known)}.tea", MODELS[name]
            data = model.samples() if calibrated else None
            report = tealight.build(str(ASSETS / model.path), path, recipe, calibration=data)
            with tealight.Session(str(path)) as session:
                known[key] = (model.score(session), report.file_bytes)
            print(f"{name:10} {recipe!s:70} {'GPTQ' if calibrated else '':5} {known[key][0]:7.3f} {known[key][1]:9,}")
        return known[key]

    return measure


@pytest.mark.parametrize("name", MODELS)
def test_float16_changes_next_to_nothing(name: str, measured: Any) -> None:
    (before, size), (after, small) = measured(name, "float32"), measured(name, "float16")
    assert abs(after - before) <= 0.1
    assert small < (0.85 if name == "iris" else 0.65) * size


@pytest.mark.parametrize("recipe", ["weight_only_wi8_af32", "dynamic_wi8_af32"])
@pytest.mark.parametrize("name", MODELS)
def test_int8_weights_keep_the_answers(name: str, recipe: str, measured: Any) -> None:
    # One of the story's 63 words is a near tie: 0.07 between logits that spread by 7.4.
    most = {"story": 1.6}.get(name, 0.5)
    assert abs(measured(name, recipe)[0] - measured(name, "float32")[0]) <= most


@pytest.mark.parametrize("recipe", [INT4, SYMMETRIC, ASYMMETRIC], ids=["default", "int4", "uint4"])
@pytest.mark.parametrize("name", ["mnist", "iris", "cifar10", "anomaly"])
def test_calibrated_int4_loses_at_most_a_point(name: str, recipe: Any, measured: Any) -> None:
    assert abs(measured(name, recipe, calibrated=True)[0] - measured(name, "float32")[0]) <= 1.0


def test_gptq_recovers_what_plain_int4_loses(measured: Any) -> None:
    assert measured("cifar10", SYMMETRIC)[0] < 80 and measured("cifar10", SYMMETRIC, calibrated=True)[0] == 100
    plain, better = measured("anomaly", SYMMETRIC)[0], measured("anomaly", SYMMETRIC, calibrated=True)[0]
    assert abs(better - measured("anomaly", "float32")[0]) < 0.1 * abs(plain - measured("anomaly", "float32")[0])


@pytest.mark.parametrize(("recipe", "words"), [("float16", 100), ("weight_only_wi8_af32", 61), (INT4, 20)])
def test_greedy_text(recipe: str, words: int, tmp_path: pathlib.Path) -> None:
    """The published continuation, word for word, up to the first near tie that falls the other way."""
    case = CASES["stories260k_llama", "greedy100_steps"]
    tealight.build(str(case.model), tmp_path / "story.tea", recipe)
    done = 0

    def run(inputs: Arrays) -> Arrays:
        nonlocal done
        done += 1
        return session.run(inputs)

    with tealight.Session(str(tmp_path / "story.tea")) as session:
        try:
            case.run(run)
        except AssertionError:
            done -= 1
    assert done >= words
