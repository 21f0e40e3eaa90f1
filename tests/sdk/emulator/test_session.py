# SPDX-License-Identifier: Apache-2.0
"""tealight.Session on every engine, with the mistakes that callers make."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest
from sdk.small_graphs import dynamic_graph, endless_graph, small_bundle

import tealight
from tealight.bundle import writer
from tealight.lower.emit import emit

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
WANTED = X.transpose(1, 0, 2).reshape(6, 4)


@pytest.fixture(params=["native", "reference"])
def engine(request):
    if request.param == "native":
        request.getfixturevalue("native")
    return request.param


@pytest.fixture
def path(tmp_path):
    target = tmp_path / "small.tea"
    target.write_bytes(small_bundle())
    return target


def test_runs(path, engine):
    with tealight.Session(path, engine=engine) as session:
        assert [(i.name, i.dtype, i.shape) for i in session.inputs] == [("x", np.float32, (2, 3, 4))]
        assert [(o.name, o.dtype, o.shape) for o in session.outputs] == [("y", np.float32, (6, 4))]
        first = session.run({"x": X})["y"]
        second = session.run({"x": -X})["y"]
        np.testing.assert_array_equal(first, WANTED)
        np.testing.assert_array_equal(second, -WANTED)
        assert first.flags.owndata or first.base is not None
        assert session.memory.arena_bytes == 128 and session.memory.exact


def test_accepts_bytes(engine):
    with tealight.Session(small_bundle(), engine=engine) as session:
        np.testing.assert_array_equal(session.run({"x": X})["y"], WANTED)


def test_arrays_that_are_not_contiguous(path, engine):
    with tealight.Session(path, engine=engine) as session:
        for x in (X.transpose(2, 1, 0).copy().transpose(2, 1, 0), np.repeat(X, 2, 2)[..., ::2], X.tolist()):
            np.testing.assert_array_equal(session.run({"x": x})["y"], WANTED)
        shifted = np.frombuffer(b"\0" + X.tobytes(), np.uint8)[1:].view(np.float32).reshape(X.shape)
        np.testing.assert_array_equal(session.run({"x": shifted})["y"], WANTED)


def test_open_dims(engine):
    with tealight.Session(writer.to_bytes(emit(dynamic_graph()).bundle), engine=engine) as session:
        for n in (3, 1, 5, 5):
            x = np.random.default_rng(n).standard_normal((n, 4)).astype(np.float32)
            np.testing.assert_array_equal(session.run({"x": x})["y"], x.reshape(-1, 2))


def test_wrong_inputs(path, engine):
    with tealight.Session(path, engine=engine) as session:
        with pytest.raises(tealight.RuntimeFailure, match=r"input 'X': not an input .* did you mean 'x'"):
            session.run({"X": X})
        with pytest.raises(tealight.RuntimeFailure, match="input 'x': missing"):
            session.run({})
        with pytest.raises(tealight.RuntimeFailure, match="float64, expected float32"):
            session.run({"x": X.astype(np.float64)})
        with pytest.raises(tealight.RuntimeFailure, match=r"shape \[3, 4\], expected \[2, 3, 4\]"):
            session.run({"x": X[0]})
        with pytest.raises(tealight.RuntimeFailure, match="'extra'"):
            session.run({"x": X, "extra": X})
        np.testing.assert_array_equal(session.run({"x": X})["y"], WANTED)


def test_wrong_files(tmp_path, engine):
    with pytest.raises(tealight.BundleError, match=r"not found, expected a .tea file"):
        tealight.Session(tmp_path / "none.tea", engine=engine)
    with pytest.raises(tealight.BundleError, match="is a folder"):
        tealight.Session(tmp_path, engine=engine)
    (tmp_path / "text.tea").write_text("hello" * 100)
    with pytest.raises(tealight.BundleError, match="TEAL"):
        tealight.Session(tmp_path / "text.tea", engine=engine)
    good = small_bundle()
    (tmp_path / "cut.tea").write_bytes(good[:-5])
    with pytest.raises(tealight.BundleError):
        tealight.Session(tmp_path / "cut.tea", engine=engine)


def test_wrong_choices(path, native):
    with pytest.raises(tealight.TealightError, match="engine 'gpu': unknown"):
        tealight.Session(path, engine="gpu")
    with pytest.raises(tealight.TealightError, match=r"device 'cortex-a54': unknown.* did you mean"):
        tealight.Session(path, device="cortex-a54")
    with pytest.raises(tealight.TealightError, match="isa 'mmx': not available here"):
        tealight.Session(path, isa="mmx")
    with pytest.raises(tealight.TealightError, match="threads: 0"):
        tealight.Session(path, threads=0)


def test_closed_session(path, native):
    session = tealight.Session(path)
    session.close()
    session.close()
    with pytest.raises(tealight.RuntimeFailure, match="session: closed"):
        session.run({"x": X})


def test_cancelled_run(path, native):
    with tealight.Session(path) as session:
        session.cancel()
        with pytest.raises(tealight.RuntimeFailure, match="cancel"):
            session.run({"x": X})
        np.testing.assert_array_equal(session.run({"x": X})["y"], WANTED)


def test_deadline(path, native):
    with tealight.Session(path) as session:
        with pytest.raises(tealight.RuntimeFailure, match="deadline"):
            session.run({"x": X}, deadline_ns=1)
        np.testing.assert_array_equal(session.run({"x": X}, deadline_ns=10**10)["y"], WANTED)


def test_endless_run_ends_by_deadline_or_from_another_thread(native):
    x = np.zeros((4, 4), np.float32)
    with tealight.Session(writer.to_bytes(emit(endless_graph()).bundle)) as session:
        with pytest.raises(tealight.RuntimeFailure, match="deadline"):
            session.run({"x": x}, deadline_ns=20_000_000)
        timer = threading.Timer(0.05, session.cancel)
        timer.start()
        with pytest.raises(tealight.RuntimeFailure, match="cancel"):
            session.run({"x": x}, deadline_ns=30 * 10**9)
        timer.join()


def test_profile(path, native):
    with tealight.Session(path, profile=True) as session:
        for _ in range(3):
            session.run({"x": X})
        rows = session.profile()
        assert [(r.op, r.name, r.runs) for r in rows] == [("transpose", "turn", 3), ("reshape", "flat", 3)]
        assert all(0 < r.min_ns <= r.total_ns for r in rows)


@pytest.mark.parametrize("isa", ["scalar", "avx2", "avx512", "x86_avx2", "neon"])
def test_forced_isa(path, native, isa):
    from tealight.emulator import _ffi
    from tealight.emulator.native import isa_name

    try:
        isa_name(isa)
    except tealight.TealightError:
        pytest.skip(f"this processor has {_ffi.isa_names()}")
    with tealight.Session(path, isa=isa) as session:
        np.testing.assert_array_equal(session.run({"x": X})["y"], WANTED)


def test_inputs_are_not_changed_and_outputs_are_fresh(path, native):
    x = X.copy()
    x.flags.writeable = False
    with tealight.Session(path) as session:
        a = session.run({"x": x})["y"]
        b = session.run({"x": x})["y"]
        assert a is not b and not np.shares_memory(a, b)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(a, WANTED)  # lives on after the session


def test_run_costs_little_python(path, native):
    import time

    with tealight.Session(path) as session:
        inputs = {"x": X}
        best = min(_timed(session, inputs, time.perf_counter_ns) for _ in range(2000))
    assert best < 60_000, f"{best} ns for a model that does nothing"  # about 8 us on an idle desktop


def _timed(session, inputs, clock):
    start = clock()
    session.run(inputs)
    return clock() - start


def test_import_is_light():
    code = "import sys, tealight; print([m for m in ('onnx', 'torch', 'rich', 'onnxruntime') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
