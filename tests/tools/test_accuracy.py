# SPDX-License-Identifier: Apache-2.0
"""tools/accuracy.py: the table and its limits, on the smallest models."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest
from tool_scripts import tool

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_limits_are_per_recipe_and_refusals_count():
    rows = [
        {
            "name": "m",
            "recipes": {
                "float16": {"lost": 0.2},
                "static_wi8_ai8": {"lost": 0.5},
                "weight_only_wi4_af32": {"lost": -3.0},
                "dynamic_wi8_af32": {"refused": "why"},
            },
        }
    ]
    assert tool("accuracy").faults(rows) == [
        "m float16: loses 0.20, expected at most 0.1",
        "m dynamic_wi8_af32: refused: why",
    ]


@pytest.mark.slow
def test_labelled_models_keep_their_accuracy(assets, native):
    command = [sys.executable, str(ROOT / "tools" / "accuracy.py"), str(assets), "--check"]
    recipes = ["--recipe", "float16", "--recipe", "static_wi8_ai8"]
    names = ["mnist_cntk", "iris_mlp", "resnet8_cifar10", "kws_dscnn", "mobilenet_v1_0.25_128", "ad_autoencoder"]
    run = subprocess.run([*command, *recipes, *(f"--only={n}" for n in names)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.splitlines()) == 2 + len(names)
    assert json.dumps(run.stdout).count("MB") == 3 * len(names)
