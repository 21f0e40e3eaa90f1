# SPDX-License-Identifier: Apache-2.0
"""Trained models in int8, with and without a method: how far their results are from float."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np
from models.asset_cases import transform

import tealight

Arrays = dict[str, np.ndarray]
OFF = {"equalization": False, "smoothing": False, "bias_correction": False}


def asset(assets: pathlib.Path, folder: str, model: str) -> tuple[pathlib.Path, list[Arrays], list[int]]:
    """Returns a model with the inputs of its cases and their labels."""
    rows = json.loads((assets / folder / "meta.json").read_text())["cases"]
    rows = [r for r in rows if r["model"] == model]
    samples = [
        {
            k: transform(np.load(assets / folder / f), r.get("input_transform", {}).get(k))
            for k, f in r["inputs"].items()
        }
        for r in rows
    ]
    return assets / folder / model, samples, [r.get("label", r.get("top1")) for r in rows]


def gain(assets: pathlib.Path, name: str, folder: pathlib.Path, methods: dict[str, Any], **recipe: Any) -> float:
    """Returns by how many decibels methods bring the int8 results of an asset (folder/model) nearer to float."""
    path, samples, _ = asset(assets, *name.split("/"))
    wanted = float_results(path, samples, folder)
    with_methods, plain = (
        decibels(wanted, int8_results(path, samples, folder, table, **recipe)) for table in (methods, {})
    )
    return with_methods - plain


def int8_results(
    model: pathlib.Path, samples: list[Arrays], folder: pathlib.Path, methods: dict[str, Any], **recipe: Any
) -> np.ndarray:
    """Builds a static int8 bundle with some methods only and returns its first output for each sample, [n, …]."""
    table = {"recipe": "static_wi8_ai8", "min_cosine": 0.0, **recipe, "methods": {**OFF, **methods}}
    tealight.build(model, folder / "int8.tea", recipe=table, calibration=samples)
    return results(folder / "int8.tea", samples)


def float_results(model: pathlib.Path, samples: list[Arrays], folder: pathlib.Path) -> np.ndarray:
    """Returns the float32 bundle's first output for each sample, [n, …]."""
    tealight.build(model, folder / "float.tea")
    return results(folder / "float.tea", samples)


def results(bundle: pathlib.Path, samples: list[Arrays]) -> np.ndarray:
    with tealight.Session(bundle) as session:
        return np.stack([next(iter(session.run(s).values())) for s in samples])


def decibels(wanted: np.ndarray, found: np.ndarray) -> float:
    """Returns 10 log10 of signal power over error power."""
    error = found.astype(np.float64) - wanted
    return float(10 * np.log10(np.sum(wanted.astype(np.float64) ** 2) / np.sum(error**2)))


def agreement(wanted: np.ndarray, found: np.ndarray) -> float:
    """Returns the share of rows with the same best class."""
    return float(np.mean(wanted.argmax(-1) == found.argmax(-1)))
