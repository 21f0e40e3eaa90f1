# SPDX-License-Identifier: Apache-2.0
"""The command line: every command on a small model, and errors as one clean line."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import wave

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from tealight import cli

RNG = np.random.default_rng(3)


def classifier(path: pathlib.Path) -> pathlib.Path:
    """Writes a small picture classifier: conv, clip, mean, gemm, softmax."""
    weights = {
        "w": RNG.standard_normal((4, 3, 3, 3)).astype(np.float32),
        "g": RNG.standard_normal((4, 6)).astype(np.float32),
        "lo": np.array(0, np.float32),
        "hi": np.array(6, np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Clip", ["c", "lo", "hi"], ["r"], "clip"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], "pool"),
        helper.make_node("Flatten", ["p"], ["f"], "flatten"),
        helper.make_node("Gemm", ["f", "g"], ["l"], "gemm"),
        helper.make_node("Softmax", ["l"], ["y"], "softmax", axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 6])],
        [numpy_helper.from_array(a, n) for n, a in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def negation(path: pathlib.Path, *shape: int | str) -> pathlib.Path:
    """Writes a model that negates its input."""
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, list(shape)) for n in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"], "neg")], "negation", ports[:1], ports[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.fixture
def bundle(tmp_path, capsys):
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(["cat", "dog", "fox", "owl", "bee", "ant"]))
    path = tmp_path / "m.tea"
    model = classifier(tmp_path / "m.onnx")
    command = ["build", str(model), "-o", str(path), "--labels", str(labels), "--image", "mean=128,scale=0.01"]
    assert cli.main(command) == 0
    assert "recipe float32" in capsys.readouterr().out
    return path


def run_json(capsys, *command: str) -> dict:
    """Runs a command that must succeed and returns what --json prints."""
    assert cli.main([*command, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


# ---- build, verify, inspect, explain ----


def test_build_reports_as_data(tmp_path, capsys):
    model = classifier(tmp_path / "m.onnx")
    report = run_json(capsys, "build", str(model), "--html", str(tmp_path / "r.html"))
    assert (tmp_path / "m.tea").exists() and report["nodes"] < report["nodes_imported"]
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")


def test_build_fixes_shapes(tmp_path, capsys):
    model = negation(tmp_path / "n.onnx", "n", 4)
    report = run_json(capsys, "build", str(model), "--shape", "x=2,4")
    assert report["is_static"] and report["inputs"] == ["x: float32[2, 4]"]


def test_verify(bundle, capsys):
    assert run_json(capsys, "verify", str(bundle))["valid"]


def test_verify_finds_a_flipped_bit(bundle, capsys):
    data = bytearray(bundle.read_bytes())
    data[-1] ^= 1
    bundle.write_bytes(data)
    assert cli.main(["verify", str(bundle)]) == 1
    assert "sha256" in capsys.readouterr().err


def test_inspect(bundle, capsys):
    data = run_json(capsys, "inspect", str(bundle))
    rows = data["programs"][0]["rows"]
    assert [r["op"] for r in rows if r["macs"]] == ["conv2d", "fully_connected"]
    assert next(r for r in rows if r["op"] == "conv2d")["fused"] == "clip[0, 6]"
    assert data["labels"] == {"y": 6} and data["images"][0]["width"] == 8
    assert cli.main(["inspect", str(bundle)]) == 0
    assert "conv2d" in capsys.readouterr().out


def test_explain(bundle, capsys):
    texts = [r["text"] for r in run_json(capsys, "explain", str(bundle))["instructions"]]
    assert any("clip[0, 6]" in t for t in texts) and any("order of dims" in t for t in texts)
    assert run_json(capsys, "explain", str(bundle), "--node", "nothing")["instructions"] == []


def test_explain_a_source_model(tmp_path, capsys):
    model = classifier(tmp_path / "m.onnx")
    data = run_json(capsys, "explain", str(model), "--ir")
    assert any(p["pass"] == "fuse_activation" and p["rewrites"] == 1 for p in data["passes"])
    assert "conv2d" in data["ir"] and data["nodes_imported"] > data["passes"][-1]["nodes"]


# ---- run ----


def test_run_on_a_picture_names_the_best_classes(bundle, tmp_path, capsys):
    picture = tmp_path / "p.png"
    Image.fromarray(RNG.integers(0, 255, (20, 30, 3)).astype(np.uint8)).save(picture)
    data = run_json(capsys, "run", str(bundle), str(picture), "--engine", "reference", "--top", "2")
    best = data["outputs"][0]["top"]
    assert len(best) == 2 and best[0]["value"] >= best[1]["value"] and best[0]["label"] in {"cat", "dog", "fox", "owl",
                                                                                          "bee", "ant"}  # fmt: skip


@pytest.mark.parametrize("kind", ["npy", "npz", "named"])
def test_run_on_arrays(kind, tmp_path, capsys):
    cli.main(["build", str(negation(tmp_path / "n.onnx", 2, 3))])
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    file, out = tmp_path / ("x.npz" if kind == "npz" else "x.npy"), tmp_path / "out.npz"
    np.savez(file, x=x) if kind == "npz" else np.save(file, x)
    where = ["--input", f"x={file}"] if kind == "named" else [str(file)]
    assert cli.main(["run", str(tmp_path / "n.tea"), *where, "--engine", "reference", "-o", str(out)]) == 0
    with np.load(out) as archive:
        np.testing.assert_array_equal(archive["y"], -x)
    assert "2x3" in capsys.readouterr().out


def test_run_on_sound(tmp_path, capsys):
    cli.main(["build", str(negation(tmp_path / "n.onnx", 1, 5))])
    capsys.readouterr()
    sound = tmp_path / "s.wav"
    with wave.open(str(sound), "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(16000)
        w.writeframes(np.array([16384, -16384, 0], "<i2").tobytes())
    data = run_json(capsys, "run", str(tmp_path / "n.tea"), str(sound), "--engine", "reference")
    assert data["outputs"][0]["min"] == -0.5 and data["outputs"][0]["shape"] == [1, 5]


# ---- compare, bench ----


def test_compare(bundle, tmp_path, capsys, native):
    data = run_json(capsys, "compare", str(tmp_path / "m.onnx"), str(bundle))
    assert data["passed"] and data["worst"] < 1e-5 and data["layers"]
    assert cli.main(["compare", str(tmp_path / "m.onnx"), str(bundle), "--tolerance", "-1"]) == 1
    assert "above" in capsys.readouterr().out


def test_bench(bundle, capsys, native):
    data = run_json(capsys, "bench", str(bundle), "--runs", "5", "--warmup", "1")
    assert 0 < data["min_ns"] <= data["median_ns"] <= data["p90_ns"] and data["arena_bytes"] > 0
    assert cli.main(["bench", str(bundle), "--runs", "2"]) == 0
    assert "median" in capsys.readouterr().out


def test_inspect_measures_times(bundle, tmp_path, capsys, native):
    data = run_json(capsys, "inspect", str(bundle), "--time", "--html", str(tmp_path / "r.html"))
    assert all(r["min_ns"] is not None for r in data["programs"][0]["rows"])
    assert "time per instruction" in (tmp_path / "r.html").read_text()


# ---- errors ----


def error_of(capsys, *command: str) -> str:
    """Runs a command that must fail and returns its message."""
    assert cli.main(list(command)) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ") and "Traceback" not in captured.err
    return captured.err


def test_errors_are_one_clean_line(bundle, tmp_path, capsys):
    text = tmp_path / "t.onnx"
    text.write_text("no model")
    assert "No such file" in error_of(capsys, "build", str(tmp_path / "none.onnx"))
    assert str(text.name) in error_of(capsys, "build", str(text), "-o", str(tmp_path / "o.tea"))
    assert not (tmp_path / "o.tea").exists()
    assert "does not exist" in error_of(capsys, "build", str(tmp_path / "m.onnx"), "-o", str(tmp_path / "no" / "o.tea"))
    assert "begins with" in error_of(capsys, "inspect", str(tmp_path / "m.onnx"))
    assert "`tealight build` makes" in error_of(capsys, "run", str(tmp_path / "m.onnx"), "--engine", "reference")
    assert "or take --random" in error_of(capsys, "run", str(bundle), "--engine", "reference")
    assert "unknown" in error_of(capsys, "run", str(bundle), "--engine", "abacus")
    assert "not found" in error_of(capsys, "run", str(bundle), "none.png", "--engine", "reference")
    assert "not an input" in error_of(capsys, "run", str(bundle), "--input", "z=a.npy", "--engine", "reference")


def test_error_as_data(tmp_path, capsys):
    assert cli.main(["inspect", str(tmp_path / "none.tea"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["type"] == "BundleError"


def test_wrong_dtype_and_shape_name_the_input(bundle, tmp_path, capsys):
    for array, word in ((np.zeros((1, 3, 8, 8)), "float64"), (np.zeros((1, 3, 9, 8), np.float32), "[1, 3, 9, 8]")):
        np.save(tmp_path / "x.npy", array)
        message = error_of(capsys, "run", str(bundle), str(tmp_path / "x.npy"), "--engine", "reference")
        assert "'x'" in message and word in message


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["build", "{model}", "--recipe", "float16", "--recipe-file", "r.toml"], "two recipes, expected one"),
        (["build", "{model}", "--labels", "{empty}"], "the file is empty, expected one label a line"),
        (["build", "{model}", "--labels", "none.txt"], "labels 'none.txt': No such file or directory, expected"),
        (["build", "{model}", "--html", "none/r.html"], "folder 'none' does not exist"),
        (["explain", "{bundle}", "--ir"], "is a bundle, expected a source model"),
        (["explain", "{model}", "--node", "conv"], "is a source model, expected a bundle"),
        (["report", "{bundle}", "--model", "{model}"], "is not quantized, expected a bundle that is"),
        (["run", "{bundle}", "--random", "--engine", "reference", "--device", "cortex-a53"], "device 'cortex-a53'"),
        (["run", "{bundle}", "--random", "--engine", "reference", "--isa", "scalar"], "isa 'scalar'"),
        (["serve", "{bundle}", "--timeout", "0"], "--timeout: 0 s, expected more than 0"),
        (["doctor", "{bundle}", "--runtime", "none.so"], "runtime none.so: No such file or directory"),
        (["doctor", "{bundle}", "--runtime", "{bundle}"], "no build info, expected a runtime"),
    ],
)
def test_what_cannot_be_meant_is_refused(bundle, tmp_path, capsys, command, message):
    (tmp_path / "empty").write_text("")
    names = {"model": tmp_path / "m.onnx", "bundle": bundle, "empty": tmp_path / "empty"}
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    assert message in error_of(capsys, *(word.format(**names) for word in command))
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_options_stand_before_and_between_files(bundle, tmp_path, capsys):
    np.save(tmp_path / "x.npy", np.zeros((1, 3, 8, 8), np.float32))
    data = run_json(capsys, "run", "--engine", "reference", str(bundle), "--top", "1", str(tmp_path / "x.npy"))
    assert len(data["outputs"][0]["top"]) == 1


def limited(bundle: pathlib.Path, command: str) -> subprocess.CompletedProcess[str]:
    """Runs a command that may write 100 bytes to a file, as on a disk that is full then."""
    code = (
        "import resource, signal, sys; from tealight import cli\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "sys.exit(cli.main(sys.argv[1:]))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-c", code, *command.split()], capture_output=True, text=True, env=environment,
        cwd=bundle.parent, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize(
    "command", ["report m.tea -o r.html --no-time", "inspect m.tea --html r.html", "run m.tea --random -o r.npz"]
)
def test_full_disk_leaves_no_part_of_a_file(bundle, native, command):
    before = sorted(bundle.parent.iterdir())
    done = limited(bundle, command)
    assert done.returncode == 1 and re.fullmatch(r"error: output 'r\.\w+': the disk is full, .*\n", done.stderr)
    assert sorted(bundle.parent.iterdir()) == before


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize(
    ("command", "message"), [("inspect m.tea --json", "No space left"), ("verify none.tea --json", "No such file"),
                             ("verify m.tea", "No space left")]
)  # fmt: skip
def test_output_that_cannot_be_written_is_an_error(bundle, command, message):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tealight.cli", *command.split()], stdout=full, stderr=subprocess.PIPE, text=True,
            env=environment, cwd=bundle.parent, timeout=120,
        )  # fmt: skip
    assert done.returncode == 1 and re.fullmatch(rf"error: .*{message}.*\n", done.stderr), done.stderr


def test_wrong_usage_exits_with_two(capsys):
    with pytest.raises(SystemExit) as e:
        cli.main(["built"])
    assert e.value.code == 2


def test_runs_as_a_module_and_survives_a_closed_pipe(bundle):
    command = f"{sys.executable} -m tealight.cli inspect {bundle} | head -1"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(command, shell=True, capture_output=True, text=True, env=environment, timeout=120)
    assert result.returncode == 0 and "Traceback" not in result.stderr
