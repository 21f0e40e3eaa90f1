# SPDX-License-Identifier: Apache-2.0
"""The commands that look into a bundle, on a quantized convolution net."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import onnx
import pytest

import tealight
from tealight import cli


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    """m.onnx, and of it float.tea, q.tea (int8) and clipped.tea (int8, calibrated on small numbers)."""
    path = tmp_path_factory.mktemp("examine")
    rng = np.random.default_rng(3)
    shapes = {"w": (8, 3, 3, 3), "v": (8, 8, 3, 3), "u": (5, 8)}
    weights = [
        onnx.numpy_helper.from_array(rng.standard_normal(s).astype(np.float32) / 6, n) for n, s in shapes.items()
    ]
    nodes = [
        onnx.helper.make_node("Conv", ["x", "w"], ["a"], pads=[1] * 4),
        onnx.helper.make_node("Relu", ["a"], ["b"]),
        onnx.helper.make_node("Conv", ["b", "v"], ["c"], pads=[1] * 4),
        onnx.helper.make_node("GlobalAveragePool", ["c"], ["d"]),
        onnx.helper.make_node("Flatten", ["d"], ["e"]),
        onnx.helper.make_node("Gemm", ["e", "u"], ["y"], transB=1),
    ]
    ends = [onnx.helper.make_tensor_value_info(n, 1, s) for n, s in (("x", (1, 3, 8, 8)), ("y", (1, 5)))]
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph(nodes, "m", ends[:1], ends[1:], weights)), path / "m.onnx")
    data = [{"x": rng.standard_normal((1, 3, 8, 8)).astype(np.float32)} for _ in range(8)]
    np.save(path / "x.npy", data[0]["x"])
    tealight.build(path / "m.onnx", path / "float.tea")
    tealight.quantize(path / "m.onnx", path / "q.tea", data)
    tealight.quantize(path / "m.onnx", path / "clipped.tea", [{"x": 0.1 * d["x"]} for d in data])
    return path


def run(capsys, *arguments: object) -> str:
    assert cli.main([str(a) for a in arguments]) == 0
    return capsys.readouterr().out


def test_compare_a_quantized_bundle(folder, capsys, native):
    data = json.loads(run(capsys, "compare", folder / "m.onnx", folder / "q.tea", folder / "x.npy", "--json"))
    rows = {r["op"]: r for r in data["quantization"]}
    assert {"quantize", "q_conv2d", "q_fully_connected", "dequantize"} <= rows.keys()
    assert all(r["sqnr_db"] > 20 and r["saturated"] < 0.1 for r in rows.values())
    assert data["passed"] and all(d["max_abs"] == 0 for d in data["layers"])
    other = json.loads(run(capsys, "compare", folder / "float.tea", folder / "q.tea", folder / "x.npy", "--json"))
    assert other["judge"] == "the float model on the native engine" and other["quantization"]
    assert cli.main(["compare", str(folder / "m.onnx"), str(folder / "q.tea"), "--tolerance", "1e-9"]) == 1


def test_compare_shows_the_worst_first(folder, capsys, native):
    text = run(capsys, "compare", folder / "m.onnx", folder / "clipped.tea", folder / "x.npy")
    assert "lose most by themselves" in text and "quantized against float" in text and "saturated" in text


def test_diff(folder, capsys):
    data = json.loads(run(capsys, "diff", folder / "float.tea", folder / "q.tea", "--json"))
    assert any("q_conv2d" in c["after"] for c in data["instructions"])
    assert any("int8" in c["after"] and "float32" in c["before"] for c in data["weights"])
    text = run(capsys, "diff", folder / "float.tea", folder / "q.tea")
    assert "static_wi8_ai8" in text and "instructions that are the same: " in text
    assert "the same instructions and weights" in run(capsys, "diff", folder / "q.tea", folder / "q.tea")


def test_report(folder, capsys, native):
    accuracy = {"data": "set", "samples": 1, "rows": []}
    (folder / "eval.json").write_text(json.dumps(accuracy))
    done = json.loads(run(
        capsys, "report", folder / "q.tea", folder / "x.npy", "--model", folder / "m.onnx", "--against",
        folder / "float.tea", "--accuracy", folder / "eval.json", "--json",
    ))  # fmt: skip
    page = (folder / "q.html").read_text(encoding="utf-8")
    assert done["bytes"] == len(page.encode()) and done["errors"] > 3
    for title in ("Error per instruction", "Time per instruction", "Weights per channel", "Accuracy", "Against float"):
        assert f"<h2>{title}" in page


@pytest.mark.parametrize(("content", "message"), [("nonsense", "no JSON"), ("[1]", "no 'rows'")])
def test_report_refuses_other_accuracy(folder, capsys, content, message):
    (folder / "bad.json").write_text(content)
    assert cli.main(["report", str(folder / "q.tea"), "--accuracy", str(folder / "bad.json")]) == 1
    assert message in capsys.readouterr().err
