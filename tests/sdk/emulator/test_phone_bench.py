# SPDX-License-Identifier: Apache-2.0
"""A bundle on a phone: the real arm64 runner under emulation behind a fake adb, and what can go wrong there."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from sdk.emulator.phones import connect, need_runner
from sdk.small_graphs import dynamic_graph, small_bundle

import tealight
from tealight.bundle import writer
from tealight.bundle.reader import read_bundle
from tealight.data import inputs
from tealight.emulator import phone_bench
from tealight.emulator.types import TensorInfo
from tealight.errors import TealightError
from tealight.lower.emit import emit

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
INFOS = [TensorInfo("x", np.dtype(np.float32), (2, 3, 4))]
Y = X.transpose(1, 0, 2).reshape(6, 4)


def golden_bundle(expected=Y):
    """Returns the small bundle with golden data."""
    bundle = read_bundle(small_bundle())
    bundle.golden = [{"program": 0, "inputs": [len(bundle.constants)], "outputs": [len(bundle.constants) + 1]}]
    bundle.constants += [np.frombuffer(a.tobytes(), np.uint8) for a in (X, np.ascontiguousarray(expected))]
    return writer.to_bytes(bundle)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.tea"
    path.write_bytes(golden_bundle())
    return path


def bench(model, **options):
    return phone_bench.bench(model, {"x": X}, INFOS, runs=3, warmup=1, **options)


def test_the_whole_way(model, tmp_path, monkeypatch, native):
    need_runner()
    phone = connect(tmp_path, monkeypatch)
    done = bench(model, profile=True, threads=2, isa="scalar")
    np.testing.assert_array_equal(done.outputs["y"], Y)
    assert done.phone.model == "Fake Phone 1" and done.isa == "scalar" and done.version == tealight.__version__
    assert len(done.runs_ns) == 3 and min(done.runs_ns) > 0 and done.open_ns > 0 and done.self_test == "passed"
    with tealight.Session(str(model)) as session:
        assert done.memory.arena_bytes == session.memory.arena_bytes and done.memory.exact
    assert [(r.op, r.runs) for r in done.profile] == [("transpose", 10), ("reshape", 10)]
    assert not (phone / "tealight").exists()


@pytest.mark.slow
def test_a_real_model_gives_the_same_bits(assets, tmp_path, monkeypatch, native):
    need_runner()
    connect(tmp_path, monkeypatch)
    source = next(assets.glob("*/kws_ref.onnx"))
    tealight.build(source, tmp_path / "m.tea")
    with tealight.Session(tmp_path / "m.tea") as session:
        feeds = inputs.fill(session.inputs, {})
        wanted = session.run(feeds)
        done = phone_bench.bench(tmp_path / "m.tea", feeds, session.inputs, runs=1, warmup=0)
    assert done.outputs.keys() == wanted.keys() and done.isa == "arm_neoni8mm"
    assert all(done.outputs[k].tobytes() == wanted[k].tobytes() for k in wanted)


def test_a_library_of_ones_own(model, tmp_path, monkeypatch):
    folder = need_runner("tealight_runner_shared").parent
    phone = connect(tmp_path, monkeypatch)
    np.testing.assert_array_equal(bench(model, library=folder / "libtealight.so").outputs["y"], Y)
    # The runner finds only what was pushed: without the library it does not even start.
    monkeypatch.setattr(phone_bench, "_checked", lambda path, abi: path)
    with pytest.raises(TealightError, match=r"exit status 127 and .*libtealight\.so"):
        bench(model, library=model)
    assert not (phone / "tealight").exists()


def test_a_phone_of_32_bits(model, tmp_path, monkeypatch):
    need_runner(build="armv7")
    connect(tmp_path, monkeypatch, fault="abi=armeabi-v7a")
    done = bench(model)
    np.testing.assert_array_equal(done.outputs["y"], Y)
    assert done.phone.abi == "armeabi-v7a" and done.isa == "arm_neon" and done.self_test == "passed"


def test_open_dims(tmp_path, monkeypatch):
    need_runner()
    connect(tmp_path, monkeypatch)
    (tmp_path / "d.tea").write_bytes(writer.to_bytes(emit(dynamic_graph()).bundle))
    infos = [TensorInfo("x", np.dtype(np.float32), (None, 4))]
    done = phone_bench.bench(tmp_path / "d.tea", {"x": np.ones((5, 4), np.float32)}, infos, runs=1, warmup=0)
    assert done.outputs["y"].shape == (10, 2) and done.self_test == "none" and not done.profile


def test_a_self_test_that_fails(tmp_path, monkeypatch):
    need_runner()
    connect(tmp_path, monkeypatch)
    (tmp_path / "g.tea").write_bytes(golden_bundle(Y + 1))
    assert "self-test" in bench(tmp_path / "g.tea").self_test


def test_a_bundle_that_the_phone_refuses(tmp_path, monkeypatch):
    need_runner()
    connect(tmp_path, monkeypatch)
    (tmp_path / "bad.tea").write_bytes(b"TEAL" + bytes(200))
    with pytest.raises(TealightError, match=r"phone 'F1': the runner gave exit status 1 and .*format version 0"):
        bench(tmp_path / "bad.tea")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("push", r"adb push of .* failed with .*Permission denied"),
        ("full", r"no space left for '.*model\.tea'"),
        ("crash", r"the runner was ended by signal 11 \(SIGSEGV\)"),
        ("gone", r"the shell ended with .*no devices/emulators found"),
        ("abi=riscv64", r"phone: ABI 'riscv64', expected one of \['arm64-v8a'"),
        ("abi=x86_64", r"phone: no tealight_runner for x86_64, expected one in build/android-x86_64"),
        ("report", r"report of the runner gave KeyError\('outputs'\)"),
    ],
)
def test_faults(model, tmp_path, monkeypatch, fault, message):
    need_runner()
    phone = connect(tmp_path, monkeypatch, fault=fault)
    with pytest.raises(TealightError, match=message):
        bench(model)
    assert not (phone / "tealight").exists()


def test_a_runner_for_another_processor(model, tmp_path, monkeypatch):
    connect(tmp_path, monkeypatch)
    runner = tmp_path / "runner"
    monkeypatch.setenv("TEALIGHT_RUNNER", str(runner))
    with pytest.raises(
        TealightError, match="runner: No such file or directory, expected a program or library for arm64"
    ):
        bench(model)
    for machine, name in ((62, "x86_64"), (40, "armeabi-v7a"), (0, "something else")):
        runner.write_bytes(b"\x7fELF" + bytes(14) + struct.pack("<H", machine) + bytes(40))
        with pytest.raises(TealightError, match=f"runner: built for {name}, the phone has arm64-v8a; build that"):
            bench(model)


def test_inputs_are_checked_before_anything_is_sent(model, tmp_path, monkeypatch):
    phone = connect(tmp_path, monkeypatch)
    with pytest.raises(TealightError, match="input 'x': missing"):
        phone_bench.bench(model, {}, INFOS)
    need_runner()
    with pytest.raises(TealightError, match="input 'x': float64, expected float32"):
        phone_bench.bench(model, {"x": X.astype(np.float64)}, INFOS)
    assert not (phone / "tealight").exists()
