# SPDX-License-Identifier: Apache-2.0
"""The size limits of the arm64 library, and that a selective build holds what its bundle needs and nothing else."""

import ctypes
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest

import tealight
from tealight import doctor
from tealight.bundle import reader

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = "mobilenet_v2_1.0_224/mobilenet_v2_1.0_224_float.onnx"
ENGINE = """
import sys
import numpy as np
import tealight
from tealight.data import inputs
with tealight.Session(sys.argv[1]) as session:
    outputs = session.run(inputs.fill(session.inputs, {}))
np.save(sys.argv[2], *outputs.values())
"""


@pytest.fixture(scope="module")
def bundle(assets, tmp_path_factory) -> pathlib.Path:
    if not (ROOT / ".venv" / "bin" / "python").exists():
        pytest.skip("no .venv: tools/test makes it")
    path = tmp_path_factory.mktemp("size") / "mobilenet.tea"
    tealight.build(str(assets / MODEL), str(path))
    return path


@pytest.mark.slow
def test_libraries_are_within_their_limits(bundle):
    if not (ROOT / "build" / "arm64" / "libtealight.so").exists():
        pytest.skip("build/arm64 not built: tools/test builds it")
    command = [sys.executable, ROOT / "tools" / "size_report.py", bundle, "--check"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def lean(bundle) -> pathlib.Path:
    """A folder with the library of that bundle alone, and the header."""
    path = bundle.parent / "native" / "libtealight.so"
    path.parent.mkdir()
    build = subprocess.run(
        [ROOT / "tools" / "selective_build", path, bundle],
        capture_output=True, text=True, check=False, env={**os.environ, "TARGET": "host"},
    )  # fmt: skip
    assert build.returncode == 0, build.stdout + build.stderr
    shutil.copy(ROOT / "native" / "include" / "tealight.h", path.parent)
    return path.parent


@pytest.mark.slow
def test_selective_builds_at_once_wait_for_each_other(bundle, tmp_path):
    paths = [tmp_path / "a.so", tmp_path / "b.so"]
    environment = {**os.environ, "TARGET": "host"}
    command = str(ROOT / "tools" / "selective_build")
    builds = [subprocess.Popen([command, p, bundle], env=environment, stdout=subprocess.DEVNULL) for p in paths]
    assert [b.wait() for b in builds] == [0, 0]
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.slow
def test_selective_build_holds_what_its_bundle_needs(lean, bundle):
    library = ctypes.CDLL(str(lean / "libtealight.so"))
    library.tl_op_name.restype = ctypes.c_char_p
    names = []
    while (name := library.tl_op_name(ctypes.c_size_t(len(names)))) is not None:
        names.append(name.decode())
    assert sorted(names) == sorted({i.op for p in reader.read_bundle(bundle).programs for i in p.instructions})
    assert doctor.examine([lean / "libtealight.so", bundle]).errors == 0


@pytest.mark.slow
def test_selective_build_gives_the_same_bits(lean, bundle, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "sdk")}
    for name, extra in (("full", {}), ("lean", {"TEALIGHT_NATIVE_DIR": str(lean)})):
        command = [sys.executable, "-c", ENGINE, bundle, tmp_path / f"{name}.npy"]
        subprocess.run(list(map(str, command)), check=True, env=environment | extra)
    assert (tmp_path / "full.npy").read_bytes() == (tmp_path / "lean.npy").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "weight", "found", "option"),
    [
        ("winograd", (32, 32, 3, 3), "expected 0", "TL_WINOGRAD"),
        ("depthwise_5x5", (32, 1, 5, 5), "5x5 window, expected none", "TL_DEPTHWISE_5X5"),
    ],
)
def test_selective_build_names_what_it_lacks(lean, tmp_path, name, weight, found, option):
    w = onnx.numpy_helper.from_array(np.ones(weight, np.float32), "w")
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (1, 32, 32, 32))
    z = onnx.helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, (1, 32))
    nodes = [
        onnx.helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        onnx.helper.make_node("Conv", ["t", "w"], ["y"], pads=[weight[2] // 2] * 4, group=32 // weight[1]),
        onnx.helper.make_node("AveragePool", ["y"], ["a"], kernel_shape=[32, 32]),
        onnx.helper.make_node("Flatten", ["a"], ["z"]),
    ]
    graph = onnx.helper.make_graph(nodes, name, [x], [z], [w])
    path = tmp_path / f"{name}.tea"
    tealight.build(onnx.helper.make_model(graph), str(path))
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "sdk"), "TEALIGHT_NATIVE_DIR": str(lean)}
    command = [sys.executable, "-c", ENGINE, path, tmp_path / "y.npy"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    assert f"{found}: this library is without it; build it with {option}=ON" in done.stderr
    # The doctor says so before anything runs.
    (problem,) = [
        f.text for f in doctor.examine([lean / "libtealight.so", path]).findings if f.level is doctor.Level.ERROR
    ]
    assert f"needs {name}," in problem
