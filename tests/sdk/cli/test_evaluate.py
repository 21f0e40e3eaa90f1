# SPDX-License-Identifier: Apache-2.0
"""tealight eval: the table, data as JSON, the limit of the drop."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tealight import cli


@pytest.fixture
def model(tmp_path, native):
    """y = x: the class is where the largest number is."""
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3]) for n in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Softmax", ["x"], ["y"])], "m", ports[:1], ports[1:])
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    np.savez(tmp_path / "d.npz", x=np.eye(3, dtype=np.float32), labels=[0, 1, 0])
    return path


def test_table_and_json_show_each_engine(model, tmp_path, capsys):
    command = ["eval", str(model), "--data", str(tmp_path / "d.npz"), "--recipe", "float32", "--engine", "native",
               "--engine", "reference"]  # fmt: skip
    assert cli.main(command) == 0
    text = capsys.readouterr().out
    assert "d.npz, samples: 3" in text and text.count("66.67%") == 3 and "reference" in text
    assert cli.main([*command, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [r["engine"] for r in data["rows"]] == ["source", "native", "reference"]
    assert data["rows"][0]["figures"]["top1"] == pytest.approx(2 / 3)


def test_limit_of_the_drop_and_wrong_options_fail(model, tmp_path, capsys):
    data = ["--data", str(tmp_path / "d.npz")]
    assert cli.main(["eval", str(model), *data, "--recipe", "float32", "--max-drop", "0"]) == 0
    assert cli.main(["eval", str(model), *data, "--recipe", "float32", "--max-drop", "-1"]) == 1
    assert "the worst row: loses 0, expected at most -1" in capsys.readouterr().err
    assert cli.main(["eval", str(model), *data, "--metric", "top9"]) == 1
    assert "metric 'top9': unknown" in capsys.readouterr().err


@pytest.mark.slow
def test_a_local_cluster_builds_and_measures_the_same(model, tmp_path, capsys):
    pytest.importorskip("distributed")
    np.save(tmp_path / "c.npy", np.random.default_rng(1).standard_normal((30, 3)).astype(np.float32))
    build = ["build", str(model), "--recipe", "static_wi8_ai8", "--calibration", str(tmp_path / "c.npy")]
    assert cli.main([*build, "-o", str(tmp_path / "a.tea")]) == 0
    assert cli.main([*build, "-o", str(tmp_path / "b.tea"), "--cluster"]) == 0
    assert (tmp_path / "a.tea").read_bytes() == (tmp_path / "b.tea").read_bytes()
    capsys.readouterr()
    table = ["eval", str(tmp_path / "a.tea"), "--data", str(tmp_path / "d.npz"), "--json"]
    assert cli.main(table) == 0
    alone = json.loads(capsys.readouterr().out)
    assert cli.main([*table, "--cluster"]) == 0
    shared = json.loads(capsys.readouterr().out)
    assert [r["figures"] for r in alone["rows"]] == [r["figures"] for r in shared["rows"]]
