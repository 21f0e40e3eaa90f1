# SPDX-License-Identifier: Apache-2.0
"""tealight build --recipe auto: the table, JSON, and costs kept in a file."""

from __future__ import annotations

import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tealight import cli


def two_layers(path):
    """Writes two named layers of different size."""
    rng = np.random.default_rng(2)
    weights = {"v": rng.standard_normal((16, 256)), "w": rng.standard_normal((256, 4))}
    nodes = [
        helper.make_node("MatMul", ["x", "v"], ["h"], "first"),
        helper.make_node("Relu", ["h"], ["r"], "relu"),
        helper.make_node("MatMul", ["r", "w"], ["y"], "second"),
    ]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, d]) for n, d in (("x", 16), ("y", 4))]
    stored = [numpy_helper.from_array(a.astype(np.float32), n) for n, a in weights.items()]
    graph = helper.make_graph(nodes, "two", ports[:1], ports[1:], stored)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def test_search_prints_its_choice_and_keeps_the_costs(tmp_path, native, capsys):
    two_layers(tmp_path / "m.onnx")
    np.save(tmp_path / "x.npy", np.random.default_rng(3).standard_normal((20, 16)).astype(np.float32))
    command = ["build", str(tmp_path / "m.onnx"), "-o", str(tmp_path / "m.tea"), "--recipe", "auto",
               "--calibration", str(tmp_path / "x.npy"), "--max-drop", "1", "--max-size", "12000",
               "--costs", str(tmp_path / "costs.json")]  # fmt: skip
    assert cli.main(command) == 0
    text = capsys.readouterr().out
    assert "2 layers" in text and "second" in text and "of the time" in text and "at most 12,000 bytes" in text
    costs = json.loads((tmp_path / "costs.json").read_text())
    assert [c["name"] for c in costs["layers"]] == ["first", "second"]
    first = (tmp_path / "m.tea").read_bytes()
    assert cli.main([*command, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["search"]["recipe"]["recipe"] in ("float32", "static_wi8_ai8") and data["search"]["tried"]
    assert (tmp_path / "m.tea").read_bytes() == first
    assert cli.main([*command, "--max-drop", "-5"]) == 1
    assert "recipe auto: the best mix has" in capsys.readouterr().err


def test_options_of_a_search_need_one(tmp_path, capsys):
    two_layers(tmp_path / "m.onnx")
    command = ["build", str(tmp_path / "m.onnx"), "-o", str(tmp_path / "m.tea")]
    assert cli.main([*command, "--recipe", "float16", "--max-size", "100"]) == 1
    assert "--max-size: recipe 'float16', expected --recipe auto with it" in capsys.readouterr().err
    assert not (tmp_path / "m.tea").exists()


def test_formats_and_report_of_a_search(tmp_path, native, capsys):
    two_layers(tmp_path / "m.onnx")
    np.save(tmp_path / "x.npy", np.random.default_rng(3).standard_normal((4, 16)).astype(np.float32))
    command = ["build", str(tmp_path / "m.onnx"), "-o", str(tmp_path / "m.tea"), "--recipe", "auto", "--json",
               "--calibration", str(tmp_path / "x.npy"), "--max-size", "12000", "--html", str(tmp_path / "m.html"),
               "--formats", "weight_only_wi8_af32", "float16"]  # fmt: skip
    assert cli.main(command) == 0
    rows = json.loads(capsys.readouterr().out)["search"]["rows"]
    assert {r["format"] for r in rows} <= {"float32", "weight_only_wi8_af32", "float16"}
    assert (tmp_path / "m.html").read_text().startswith("<!doctype html>")
    assert cli.main([*command[:-1], "int8"]) == 1
    assert "format 'int8': unknown, expected" in capsys.readouterr().out
