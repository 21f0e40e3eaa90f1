# SPDX-License-Identifier: Apache-2.0
"""tools/promises.py: a small zoo keeps every promise, and each broken one is named."""

import json
import pathlib
import sys

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))

import promises


@pytest.fixture
def zoo(tmp_path):
    """A zoo of one convolution."""
    rng = np.random.default_rng(0)
    weight = numpy_helper.from_array(rng.standard_normal((8, 3, 3, 3)).astype(np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], name="conv")], "one",
        [helper.make_tensor_value_info("x", 1, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("y", 1, [1, 8, 14, 14])], [weight],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(tmp_path / "one.onnx"))
    np.savez(
        tmp_path / "one.npz", **{f"calib_{k}_0": rng.standard_normal((1, 3, 16, 16), np.float32) for k in range(2)}
    )
    row = {"onnx": "one.onnx", "data": "one.npz", "n_calib": 2, "inputs": [{"name": "x"}], "outputs": [{"name": "y"}]}
    (tmp_path / "models.json").write_text(json.dumps({"one": row}))
    return tmp_path


@pytest.mark.parametrize("recipe", ["float32", "static_wi8_ai8"])
def test_a_small_model_keeps_them(zoo, tmp_path, recipe):
    row = promises.judge(zoo, "one", recipe, tmp_path, promises.load_cost.small_bundle(tmp_path))
    assert promises.faults(row) == []
    assert row["same"] and row["allocations"] == [[0, 0, 0], [0, 0, 0]]


def test_broken_ones_are_named():
    row = {"name": "m", "same": False, "allocations": [[0, 0, 1], None], "bytes": 1e6, "resident": 4e6,
           "private": 3e6, "arena": 1e5}  # fmt: skip
    assert promises.faults(row) == [
        "m: two builds differ, expected the same bytes",
        "m: later runs allocate [[0, 0, 1], None] times, expected never",
        "m: opening adds 4000000.0 bytes of resident memory, expected at most the file's",
        "m: opening adds 3000000.0 bytes of private memory, expected at most the arena",
    ]
