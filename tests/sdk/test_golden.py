# SPDX-License-Identifier: Apache-2.0
"""Golden data: built, checked by both validators, run by the self-test."""

from __future__ import annotations

import copy
import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from sdk.test_build import small_cnn

import tealight
from tealight import cli
from tealight.bundle import reader, verify, writer

pytestmark = pytest.mark.usefixtures("native")


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    path = tmp_path_factory.mktemp("golden") / "cnn.tea"
    tealight.build(small_cnn(), path, golden=True)
    return path


@pytest.fixture(scope="module")
def open_bundle(tmp_path_factory):
    path = tmp_path_factory.mktemp("golden") / "open.tea"
    rng = np.random.default_rng(1)
    samples = ({"x": rng.standard_normal((n, 3, 16, 16)).astype(np.float32)} for n in (2, 1))
    tealight.build(small_cnn("n"), path, golden=samples)
    return path


def test_self_test_passes(golden):
    with tealight.Session(golden, threads=2) as session:
        session.self_test()
    x, y = (reader.read_bundle(golden).golden[0][k] for k in ("inputs", "outputs"))
    assert len(x) == len(y) == 1


def test_same_file_every_time(golden, tmp_path):
    tealight.build(small_cnn(), tmp_path / "again.tea", golden=True)
    assert (tmp_path / "again.tea").read_bytes() == golden.read_bytes()


def test_golden_data_leaves_the_model_as_it_was(golden, tmp_path):
    tealight.build(small_cnn(), tmp_path / "plain.tea")
    x = np.ones((1, 3, 16, 16), np.float32)
    with tealight.Session(golden) as one, tealight.Session(tmp_path / "plain.tea") as other:
        assert one.run({"x": x})["y"].tobytes() == other.run({"x": x})["y"].tobytes()


@pytest.mark.parametrize("kind", ["inputs", "outputs"])
def test_one_flipped_bit_fails(golden, kind):
    bundle = reader.read_bundle(golden)
    index = bundle.golden[0][kind][0]
    bundle.constants[index] = np.array(bundle.constants[index])
    bundle.constants[index].reshape(-1).view(np.uint8)[2] ^= 0x10
    with (
        tealight.Session(writer.to_bytes(bundle)) as session,
        pytest.raises(tealight.RuntimeFailure, match=r"self-test output 0 'y': element \d of 5"),
    ):
        session.self_test()


def test_open_shapes(open_bundle):
    bundle = reader.read_bundle(open_bundle)
    assert [g["input_dims"] for g in bundle.golden] == [[2, 3, 16, 16], [1, 3, 16, 16]]
    with tealight.Session(open_bundle) as session:
        session.self_test()
        bundle.golden[1]["outputs"] = bundle.golden[0]["outputs"]
    with (
        tealight.Session(writer.to_bytes(bundle)) as session,
        pytest.raises(tealight.RuntimeFailure, match="expected 40 bytes"),
    ):
        session.self_test()


def test_bundle_without_golden_data(tmp_path):
    tealight.build(small_cnn(), tmp_path / "plain.tea")
    with (
        tealight.Session(tmp_path / "plain.tea") as session,
        pytest.raises(tealight.RuntimeFailure, match="no golden data"),
    ):
        session.self_test()


def test_self_test_is_of_the_native_engine(golden):
    with (
        tealight.Session(golden, engine="reference") as session,
        pytest.raises(tealight.TealightError, match="native engine"),
    ):
        session.self_test()


def test_samples_must_fit(tmp_path):
    for sample, message in (({"z": 1}, "'z'"), ({"x": np.zeros((1, 3, 16, 16))}, "float64")):
        with pytest.raises(tealight.TealightError, match=message):
            tealight.build(small_cnn(), tmp_path / "x.tea", golden=[sample])
    assert not (tmp_path / "x.tea").exists()


def test_results_that_are_no_numbers_are_refused(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Sqrt", ["x"], ["y"])], "roots",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [8])],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(tealight.TealightError, match="output 'y' has NaN"):
        tealight.build(model, tmp_path / "x.tea", golden=True)
    tealight.build(model, tmp_path / "x.tea", golden=[{"x": np.arange(8, dtype=np.float32)}])
    assert cli.main(["verify", str(tmp_path / "x.tea")]) == 0


def test_command_line(tmp_path, capsys):
    onnx.save(small_cnn(), str(tmp_path / "cnn.onnx"))
    assert cli.main(["build", str(tmp_path / "cnn.onnx"), "--golden"]) == 0
    capsys.readouterr()
    assert cli.main(["verify", "--json", str(tmp_path / "cnn.tea")]) == 0
    assert json.loads(capsys.readouterr().out)["checks"][-1] == "self-test"
    assert cli.main(["inspect", str(tmp_path / "cnn.tea")]) == 0
    assert "golden samples" in capsys.readouterr().out


def _break(key, value):
    def change(golden):
        golden[key] = value(golden[key]) if callable(value) else value

    return change


@pytest.mark.parametrize("change", [
    _break("program", 1), _break("program", -1), _break("inputs", []), _break("inputs", lambda x: [*x, *x]),
    _break("inputs", [999]), _break("outputs", [-1]), _break("outputs", []),
    lambda golden: golden.update(inputs=golden["outputs"]),
    _break("input_dims", lambda d: d[:-1]), _break("input_dims", lambda d: [*d, 1]),
    _break("input_dims", lambda d: [-d[0], -d[1], *d[2:]]), _break("input_dims", [2**40, 2**40, 2**40, 2**40]),
    _break("input_dims", []),
])  # fmt: skip
def test_broken_golden_data_is_refused_by_both(open_bundle, change):
    bundle = copy.deepcopy(reader.read_bundle(open_bundle))
    change(bundle.golden[0])
    with pytest.raises(tealight.BundleError):
        verify.check_bundle(bundle, "broken")
    with pytest.raises(tealight.BundleError, match="golden 0"):
        tealight.Session(writer.to_bytes(bundle)).close()


@pytest.mark.parametrize("change", [
    _break("mean", [1.0]), _break("scale", []), _break("layout", "NHW"), _break("channel_order", ""),
    _break("height", -1), _break("channels", -3),
])  # fmt: skip
def test_broken_pictures_are_refused_by_both(tmp_path, change):
    tealight.build(small_cnn(), tmp_path / "x.tea", image={"scale": 0.5})
    bundle = reader.read_bundle(tmp_path / "x.tea")
    verify.check_bundle(bundle, "good")
    change(bundle.images[0])
    with pytest.raises(tealight.BundleError, match="image"):
        verify.check_bundle(bundle, "broken")
    with pytest.raises(tealight.BundleError, match="image 0"):
        tealight.Session(writer.to_bytes(bundle)).close()
