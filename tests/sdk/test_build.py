# SPDX-License-Identifier: Apache-2.0
"""tealight.build: the main job in small, its options and its mistakes."""

from __future__ import annotations

import errno
import os
import pathlib
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from sdk.frontends import tflite_cases

import tealight
from tealight import _build
from tealight.bundle.reader import read_bundle
from tealight.ir.interpret import evaluate

ROOT = pathlib.Path(__file__).resolve().parents[2]


def small_cnn(batch: int | str = 1) -> onnx.ModelProto:
    """Conv 3 -> 8, Relu, depthwise 3x3, GlobalAveragePool, Flatten, Gemm, Softmax."""
    rng = np.random.default_rng(0)

    def weight(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(rng.standard_normal(shape).astype(np.float32) * 0.2, name)

    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], "conv", pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["c1"], ["r1"], "relu"),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], "depthwise", pads=[1, 1, 1, 1], group=8),
        helper.make_node("GlobalAveragePool", ["c2"], ["p"], "pool"),
        helper.make_node("Flatten", ["p"], ["f"], "flatten"),
        helper.make_node("Gemm", ["f", "w3", "b3"], ["g"], "gemm", transB=1),
        helper.make_node("Softmax", ["g"], ["y"], "softmax", axis=1),
    ]
    weights = [weight("w1", 8, 3, 3, 3), weight("b1", 8), weight("w2", 8, 1, 3, 3), weight("b2", 8)]
    weights += [weight("w3", 5, 8), weight("b3", 5)]
    graph = helper.make_graph(
        nodes, "cnn",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 5])], weights,
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("cnn") / "cnn.onnx"
    onnx.save(small_cnn(), str(path))
    return path


def test_report_and_bundle(model, tmp_path):
    report = tealight.build(model, tmp_path / "cnn.tea", name="classify", labels=list("abcde"))
    bundle = read_bundle(tmp_path / "cnn.tea", check_sha=True)
    assert report.file_bytes == (tmp_path / "cnn.tea").stat().st_size
    assert report.nodes == len(bundle.programs[0].instructions) < report.nodes_imported
    assert report.is_static and report.arena_bytes >= report.arena_lower_bound > 0
    assert report.macs == 8 * 8 * 8 * 27 + 8 * 8 * 8 * 9 + 40
    assert report.constants_bytes == sum(c.nbytes for c in bundle.constants)
    assert bundle.entry_points[0][0] == "classify" and bundle.labels == {"y": list("abcde")}
    assert bundle.provenance["source_name"] == "cnn.onnx" and len(bundle.provenance["source_sha256"]) == 64
    assert "cnn.onnx" in str(report) and str(tmp_path) not in repr(bundle.provenance)


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_same_numbers_as_onnx(model, tmp_path, engine, request):
    if engine == "native":
        request.getfixturevalue("native")
    tealight.build(model, tmp_path / "cnn.tea")
    x = np.random.default_rng(1).standard_normal((1, 3, 16, 16)).astype(np.float32)
    (wanted,) = onnx.reference.ReferenceEvaluator(str(model)).run(None, {"x": x})
    with tealight.Session(tmp_path / "cnn.tea", engine=engine) as session:
        np.testing.assert_allclose(session.run({"x": x})["y"], wanted, rtol=1e-5, atol=1e-6)


def test_compare(model, tmp_path, native):
    tealight.build(model, tmp_path / "cnn.tea")
    x = np.random.default_rng(1).standard_normal((1, 3, 16, 16)).astype(np.float32)
    result = tealight.compare(model, tmp_path / "cnn.tea", {"x": x})
    assert result.outputs[0].max_abs < 1e-6 and result.outputs[0].cosine > 0.999999
    assert result.judge in ("ONNX Runtime", "onnx.reference")
    assert result.worst is not None and result.worst.relative < 1e-4


def test_open_batch(tmp_path, native):
    tealight.build(small_cnn("n"), tmp_path / "cnn.tea")
    with tealight.Session(tmp_path / "cnn.tea") as session:
        x = np.random.default_rng(2).standard_normal((3, 3, 16, 16)).astype(np.float32)
        together = session.run({"x": x})["y"]
        rows = [session.run({"x": x[i : i + 1]})["y"] for i in range(3)]
        np.testing.assert_array_equal(together, np.concatenate(rows))


def test_shapes_fix_open_dims(tmp_path):
    report = tealight.build(small_cnn("n"), tmp_path / "cnn.tea", shapes={"x": [2, 3, 16, 16]})
    assert report.is_static and report.inputs == ["x: float32[2, 3, 16, 16]"]


def test_remarks_of_the_import_are_notes(tmp_path):
    half = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT16, [2]) for n in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "half", half[:1], half[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    report = tealight.build(model, tmp_path / "half.tea")
    assert ("", "input 'x' is float16: computed in float32") in report.notes


def test_image_metadata(model, tmp_path):
    image = {"mean": [127.5] * 3, "scale": 1 / 127.5, "order": "BGR"}
    tealight.build(model, tmp_path / "cnn.tea", image=image, metadata={"author": "me"})
    bundle = read_bundle(tmp_path / "cnn.tea")
    (table,) = bundle.images
    assert (table["input"], table["height"], table["width"], table["channels"]) == ("x", 16, 16, 3)
    assert table["layout"] == "NCHW" and table["channel_order"] == "BGR" and len(table["scale"]) == 3
    assert bundle.metadata["author"] == "me"


def test_same_bytes_in_any_process(model, tmp_path):
    for seed in ("0", "123"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT / "sdk")}
        code = "import sys, tealight; tealight.build(sys.argv[1], sys.argv[2])"
        subprocess.run([sys.executable, "-c", code, str(model), str(tmp_path / seed)], env=env, check=True)
    tealight.build(model, tmp_path / "here")
    assert (tmp_path / "0").read_bytes() == (tmp_path / "123").read_bytes() == (tmp_path / "here").read_bytes()


def test_same_int8_bytes_in_any_process(model, tmp_path, native):
    np.save(tmp_path / "x.npy", np.random.default_rng(3).standard_normal((6, 3, 16, 16)).astype(np.float32))
    for seed in ("0", "123"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT / "sdk")}
        code = "import sys, tealight; tealight.quantize(sys.argv[1], sys.argv[2], sys.argv[3])"
        arguments = [str(model), str(tmp_path / seed), str(tmp_path / "x.npy")]
        subprocess.run([sys.executable, "-c", code, *arguments], env=env, check=True)
    assert (tmp_path / "0").read_bytes() == (tmp_path / "123").read_bytes()


def test_int8_inputs_and_outputs(model, tmp_path, native):
    x = np.random.default_rng(3).standard_normal((6, 3, 16, 16)).astype(np.float32)
    recipe = {"recipe": "static_wi8_ai8", "io": "int8", "rule": [{"op": "softmax", "skip": True}]}
    report = tealight.build(model, tmp_path / "a.tea", recipe, x)
    assert report.inputs == ["x: int8[1, 3, 16, 16]"] and report.outputs == ["y: float32[1, 5]"]
    assert any("output stays float32" in text for _, text in report.notes)
    bundle = read_bundle(tmp_path / "a.tea")
    program = bundle.programs[0]
    quantization = program.tensors[program.inputs[0]].quantization
    q = np.clip(np.rint(x[:1] / quantization["scales"][0]) + quantization["zero_points"][0], -128, 127).astype(np.int8)
    tealight.build(model, tmp_path / "b.tea", "static_wi8_ai8", x)
    with tealight.Session(tmp_path / "a.tea") as a, tealight.Session(tmp_path / "b.tea") as b:
        assert np.array_equal(a.run({"x": q})["y"], b.run({"x": x[:1]})["y"])


def test_progress(model, tmp_path):
    stages = []
    tealight.build(model, tmp_path / "cnn.tea", progress=lambda stage, i, n: stages.append((stage, i, n)))
    assert stages[0][0] == "import" and stages[-1][0] == "write" and all(0 <= i < n for _, i, n in stages)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"recipe": "floot32"}, r"recipe 'floot32': unknown, .* did you mean 'float32'"),
        ({"shape": {}}, r"build option 'shape': unknown, .* did you mean 'shapes'"),
        ({"labels": {"z": ["a"]}}, r"labels of 'z': not an output"),
        ({"image": {"mena": 1}}, r"image 'mena': unknown, .* did you mean 'mean'"),
        ({"image": {"mean": [1, 2]}}, r"image mean: 2 numbers, expected 1 or 3"),
        ({"image": {"order": "RBG"}}, r"image order: 'RBG'"),
        ({"image": {"mean": "grey"}}, r"image mean: 'grey', expected a number or one for each channel"),
        ({"passes": {"winogard": False}}, r"option 'passes' 'winogard': unknown, .* did you mean 'winograd'"),
        ({"passes": None}, r"build option 'passes': NoneType, expected a mapping"),
        ({"metadata": "text"}, r"build option 'metadata': str, expected a mapping"),
        ({"calibration": [], "calibration_limit": -1}, r"empty, expected at least one sample"),
        ({"calibration": [{}], "calibration_limit": -1}, r"limit -1: expected a number of samples, at least 1"),
    ],
)
def test_wrong_options(model, tmp_path, arguments, message):
    with pytest.raises(tealight.TealightError, match=message):
        tealight.build(model, tmp_path / "cnn.tea", **arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", [("init.pb", "predict.pb"), 5, object()])
def test_wrong_models(tmp_path, bad):
    with pytest.raises(tealight.ImportModelError, match=r"model: .* expected"):
        tealight.build(bad, tmp_path / "a.tea")


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(tealight.ImportModelError, match=r"No such file"):
        tealight.build(tmp_path / "none.onnx", tmp_path / "a.tea")
    (tmp_path / "text.onnx").write_text("this is not a model" * 20)
    with pytest.raises(tealight.ImportModelError, match=r"text.onnx"):
        tealight.build(tmp_path / "text.onnx", tmp_path / "a.tea")
    assert not (tmp_path / "a.tea").exists()


def test_missing_folder_is_found_before_the_work(model, tmp_path):
    with pytest.raises(tealight.BundleError, match=r"does not exist"):
        tealight.build(model, tmp_path / "none" / "a.tea")
    with pytest.raises(tealight.BundleError, match=r"is a folder"):
        tealight.build(model, tmp_path)


def test_full_disk_leaves_nothing(model, tmp_path, monkeypatch):
    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(tealight.BundleError, match=r"the disk is full"):
        tealight.build(model, tmp_path / "a.tea")
    assert list(tmp_path.iterdir()) == []


def test_version():
    assert tealight.__version__.count(".") == 2


def test_static_recipe_and_its_provenance(model, tmp_path, native):
    x = np.random.default_rng(3).standard_normal((6, 3, 16, 16)).astype(np.float32)
    reports = [
        tealight.build(model, tmp_path / "a.tea", "static_wi8_ai8", x),
        tealight.quantize(model, tmp_path / "b.tea", [{"x": x[:3]}, {"x": x[3:]}]),
    ]
    assert (tmp_path / "a.tea").read_bytes() == (tmp_path / "b.tea").read_bytes()
    bundle = read_bundle(tmp_path / "a.tea")
    assert bundle.provenance["recipe"] == "static_wi8_ai8"
    assert bundle.provenance["calibration_sha256"] == reports[0].calibration_sha256 != ""
    assert reports[0].integer_nodes > 0 and "on int8" in str(reports[0])


def test_recipe_file(model, tmp_path, native):
    x = np.random.default_rng(3).standard_normal((2, 3, 16, 16)).astype(np.float32)
    path = tmp_path / "mixed.toml"
    path.write_text('recipe = "static_wi8_ai8"\n[[rule]]\nop = "fully_connected"\nskip = true\n')
    report = tealight.build(model, tmp_path / "a.tea", path, x)
    ops = [i.op for i in read_bundle(tmp_path / "a.tea").programs[0].instructions]
    assert report.recipe == "mixed.toml" and "fully_connected" in ops and "q_depthwise_conv2d" in ops


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "no calibration data"),
        ([], "calibration data 'samples': empty"),
        ("no/such/folder", "not found"),
        ([{"y": np.zeros((1, 3, 16, 16), np.float32)}], "'y' is not an input"),
        ([np.full((1, 3, 16, 16), np.nan, np.float32)], "NaN or infinity"),
        ([np.zeros((1, 3, 15, 16), np.float32)], r"shape \[1, 3, 15, 16\], expected"),
    ],
)
def test_calibration_data_that_does_not_fit(model, tmp_path, data, message, native):
    with pytest.raises(tealight.QuantizeError, match=message):
        tealight.build(model, tmp_path / "a.tea", "static_wi8_ai8", data)
    assert not (tmp_path / "a.tea").exists()


def test_one_constant_image_is_safe(model, tmp_path, native):
    tealight.build(model, tmp_path / "a.tea", "static_wi8_ai8", [np.full((1, 3, 16, 16), 0.5, np.float32)])
    with tealight.Session(tmp_path / "a.tea") as session:
        y = session.run({"x": np.full((1, 3, 16, 16), 0.5, np.float32)})["y"]
    assert np.isfinite(y).all() and abs(float(y.sum()) - 1) < 1e-3


def test_tflite_models_are_built_by_their_suffix(tmp_path: pathlib.Path, native: None) -> None:
    case = next(c for c in tflite_cases.CASES if c.op == "CONV_2D" and c.results[0].dtype == "int8")
    path, bundle = tmp_path / "m.TFLITE", tmp_path / "m.tea"
    path.write_bytes(case.model())
    report = tealight.build(path, bundle)
    assert report.source == "m.TFLITE" and not report.notes
    with tealight.Session(bundle) as session:
        (found,) = session.run(case.feeds()).values()
    wanted = evaluate(_build.import_model(path), case.feeds())["out0"]
    assert found.dtype == np.int8 and np.abs(found.astype(int) - wanted).max() <= 1
