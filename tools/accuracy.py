# SPDX-License-Identifier: Apache-2.0
"""Accuracy, size and latency of the trained models for each recipe: the table in the README.

tools/accuracy.py ASSETS [--only NAME] [--recipe RECIPE] [--check]

Each model runs on its labelled data; calibration sees inputs only. --check fails where a recipe loses more against
float32 than allowed: 0.1 points for float16, 0.5 for int8, 1 for int4 (per cent of the figure where it is no share).
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "sdk"), str(ROOT / "tests")]

from models.asset_cases import transform  # noqa: E402

import tealight  # noqa: E402

Arrays = dict[str, np.ndarray]

#: Recipe -> points it may lose.
LIMITS = {
    "float32": 0.0, "float16": 0.1, "static_wi8_ai8": 0.5, "dynamic_wi8_af32": 0.5, "weight_only_wi8_af32": 0.5,
    "weight_only_wi4_af32": 1.0,
}  # fmt: skip


@dataclass
class Model:
    """One trained model with labelled data.

    Attributes:
        name: In the table.
        path: Below the assets.
        load: (folder) -> samples and labels.
        metric: As for tealight.evaluate.
        figure: Name of the figure in the table.
    """

    name: str
    path: str
    load: Callable[[pathlib.Path, str], tuple[list[Arrays], list[Any]]]
    metric: Any = "top1"
    figure: str = "top-1"


def cases(folder: pathlib.Path, model: str) -> tuple[list[Arrays], list[Any]]:
    """Returns inputs and labels of the cases of a model that name a class."""
    rows = json.loads((folder / "meta.json").read_text())["cases"]
    rows = [r for r in rows if r["model"] == model and ("label" in r or "top1" in r)]
    samples = []
    for row in rows:
        rules = row.get("input_transform", {})
        samples.append({k: transform(np.load(folder / v), rules.get(k)) for k, v in row["inputs"].items()})
    return samples, [r.get("label", r.get("top1")) for r in rows]


def mnist(folder: pathlib.Path, model: str) -> tuple[list[Arrays], list[Any]]:
    """Returns 1000 digits."""
    images = np.load(folder / "inputs" / "mnist_test_0_1000.u8.npy").astype(np.float32)
    return [{"Input3": i[None, None]} for i in images], list(np.load(folder / "labels" / "mnist_test_0_1000.npy"))


def iris(folder: pathlib.Path, model: str) -> tuple[list[Arrays], list[Any]]:
    """Returns 150 flowers."""
    rows = np.load(folder / "inputs" / "iris.f32.npy")
    return [{"input": r[None]} for r in rows], list(np.load(folder / "labels" / "iris.npy"))


def toycar(folder: pathlib.Path, model: str) -> tuple[list[Arrays], list[Any]]:
    """Returns 196 windows of a normal machine: the anomaly score is the mean reconstruction error."""
    rows = np.load(folder / "inputs" / "normal_id_01_00000000.f32.npy")
    return [{"input": r[None]} for r in rows], [None] * len(rows)


def story(folder: pathlib.Path, model: str) -> tuple[list[Arrays], list[Any]]:
    """Returns the tokens of the model's published text, which are their own labels."""
    rows = json.loads((folder / "meta.json").read_text())["cases"]
    row = next(r for r in rows if r["model"] == model)
    sample = {k: np.load(folder / v) for k, v in row["inputs"].items()}
    return [sample], [next(iter(sample.values())).reshape(-1)]


def next_token(outputs: Arrays, tokens: np.ndarray) -> float:
    """Returns the geometric mean of the probability that each next token gets (1 / perplexity)."""
    logits = next(iter(outputs.values())).reshape(len(tokens), -1).astype(np.float64)[:-1]
    logits -= logits.max(axis=1, keepdims=True)
    chances = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return float(np.exp(chances[np.arange(len(chances)), tokens[1:]].mean()))


MODELS = [
    Model("mnist_cntk", "mnist_cntk_onnx/mnist.onnx", mnist),
    Model("iris_mlp", "iris_mlp/Network.onnx", iris),
    Model("resnet8_cifar10", "mlperf_tiny_resnet8_cifar10/resnet8.onnx", cases),
    Model("kws_dscnn", "mlperf_tiny_kws_dscnn/kws_ref.onnx", cases),
    Model("mobilenet_v1_0.25_128", "mobilenet_v1_0.25_128/mobilenet_v1_0.25_128_float.onnx", cases),
    Model("mobilenet_v2_1.0_224", "mobilenet_v2_1.0_224/mobilenet_v2_1.0_224_float.onnx", cases),
    Model("squeezenet1.1", "squeezenet11_fp16_onnx/SqueezeNet_fp16.onnx", cases),
    Model("ad_autoencoder", "mlperf_tiny_ad_autoencoder/ad01.onnx", toycar, "reconstruction", "reconstruction error"),
    Model("stories260k", "stories260k_llama/prefill64.onnx", story, next_token, "next token's probability"),
]


def measure(model: Model, assets: pathlib.Path, recipes: list[str], folder: pathlib.Path) -> dict[str, Any]:
    """Returns the figures of each recipe: share or error, points lost, file size and latency."""
    path = assets / model.path
    samples, labels = model.load(path.parent, path.name)
    bundles, rows = [], {}
    for recipe in recipes:
        bundle = folder / f"{model.name}.{recipe}.tea"
        try:
            tealight.build(path, bundle, recipe=recipe, calibration=samples[:: max(1, len(samples) // 100)])
            bundles.append(bundle)
        except tealight.QuantizeError as e:
            rows[recipe] = {"refused": str(e)}
    data = list(zip(samples, labels, strict=True))
    table = tealight.evaluate(bundles, data, metric=model.metric)
    base = next(iter(table.results[0].figures.values()))
    for r in table.results:
        share = r.contender.recipe, next(iter(r.figures.values()))
        lost = table.drop(r) * 100 / (1.0 if model.metric != "reconstruction" else base)
        rows[share[0]] = {
            "figure": share[1], "lost": lost, "bytes": r.contender.file_bytes, "median_ns": r.median_ns,
        }  # fmt: skip
    return {"name": model.name, "samples": len(samples), "figure": model.figure, "recipes": rows}


def cell(model: dict[str, Any], recipe: str) -> str:
    """Returns accuracy, size and latency of a recipe as text."""
    row = model["recipes"].get(recipe)
    if row is None or "refused" in row:
        return "-"
    share = model["figure"] != "reconstruction error"
    figure = f"{100 * row['figure']:.1f}" if share else f"{row['figure']:.3f}"
    return f"{figure}, {row['bytes'] / 1e6:.2f} MB, {row['median_ns'] / 1e6:.3g} ms"


def faults(rows: list[dict[str, Any]]) -> list[str]:
    """Returns what loses more than its limit."""
    found = []
    for model in rows:
        for recipe, row in model["recipes"].items():
            if "refused" in row:
                found.append(f"{model['name']} {recipe}: refused: {row['refused']}")
            elif not row["lost"] <= LIMITS[recipe] + 1e-9:
                found.append(f"{model['name']} {recipe}: loses {row['lost']:.2f}, expected at most {LIMITS[recipe]}")
    return found


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("assets", type=pathlib.Path, help="folder of the trained models")
    p.add_argument("--only", action="append", help="a model of the table")
    p.add_argument("--recipe", action="append", choices=list(LIMITS), help="a recipe of the table, beside float32")
    p.add_argument("--check", action="store_true", help="fail where a limit is passed")
    o = p.parse_args()
    if not o.assets.is_dir():
        p.error(f"'{o.assets}': no folder, expected that of the trained models")
    recipes = ["float32", *(o.recipe or list(LIMITS)[1:])]
    rows = []
    print(f"| model | data | {' | '.join(recipes)} |\n|---|---|{'---|' * len(recipes)}")
    with tempfile.TemporaryDirectory() as folder:
        for model in MODELS:
            if o.only and model.name not in o.only:
                continue
            rows.append(measure(model, o.assets, recipes, pathlib.Path(folder)))
            data = f"{rows[-1]['samples']}, {model.figure}"
            cells = " | ".join(cell(rows[-1], r) for r in recipes)
            print(f"| {model.name} | {data} | {cells} |", flush=True)
    problems = faults(rows)
    print("\n".join(problems), file=sys.stderr)
    return 1 if o.check and problems else 0


if __name__ == "__main__":
    sys.exit(main())
