# SPDX-License-Identifier: Apache-2.0
"""The runner behind a pipe: on emulated phones where they are installed, and its errors."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from sdk.small_graphs import dynamic_graph, small_bundle

import tealight
from tealight.bundle import writer
from tealight.emulator import devices
from tealight.lower.emit import emit

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


@pytest.fixture(params=sorted(devices.DEVICES))
def device(request):
    try:
        devices.runner_command(request.param)
    except tealight.TealightError as e:
        pytest.skip(str(e))
    return request.param


def test_runs(device):
    with tealight.Session(small_bundle(), device=device, profile=True, keep_intermediates=True) as session:
        assert [(i.name, i.dtype, i.shape) for i in session.inputs] == [("x", np.float32, (2, 3, 4))]
        for x in (X, -X):
            np.testing.assert_array_equal(session.run({"x": x})["y"], x.transpose(1, 0, 2).reshape(6, 4))
        np.testing.assert_array_equal(session.tensor(1), -X.transpose(1, 0, 2))
        assert [(r.op, r.runs) for r in session.profile()] == [("transpose", 2), ("reshape", 2)]
        assert session.memory.arena_bytes >= 128


def test_open_dims(device):
    with tealight.Session(writer.to_bytes(emit(dynamic_graph()).bundle), device=device) as session:
        for n in (3, 1):
            assert session.run({"x": np.ones((n, 4), np.float32)})["y"].shape == (2 * n, 2)


def test_reopen(device):
    session = devices.DeviceSession(small_bundle(), device=device)
    with pytest.raises(tealight.BundleError, match="TEAL"):
        session.reopen(b"nonsense" * 100)
    session.reopen(writer.to_bytes(emit(dynamic_graph()).bundle))
    assert session.run({"x": np.ones((3, 4), np.float32)})["y"].shape == (6, 2)
    session.close()


def test_bad_bundle_and_input(device):
    with pytest.raises(tealight.BundleError, match="TEAL"):
        tealight.Session(b"nonsense" * 100, device=device)
    with tealight.Session(small_bundle(), device=device) as session:
        with pytest.raises(tealight.RuntimeFailure, match="input 'x': missing"):
            session.run({})
        session.run({"x": X})


def test_missing_emulator(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        tealight.TealightError, match="qemu-aarch64 not found, expected it on the PATH; install qemu-user"
    ):
        devices.runner_command("cortex-a53")


def test_missing_runner(monkeypatch):
    monkeypatch.setattr(devices.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setenv("TEALIGHT_RUNNER", "/nowhere/runner")
    with pytest.raises(tealight.TealightError, match="/nowhere/runner not found, expected the arm64 build"):
        devices.runner_command("cortex-a53")


def test_runner_that_ends(tmp_path):
    code = "import sys; sys.stderr.write('no such luck\\n'); sys.exit(3)"
    with pytest.raises(tealight.RuntimeFailure, match=r"the runner ended \(exit status 3, 'no such luck'\)"):
        devices.DeviceSession(small_bundle(), device="test", command=[sys.executable, "-c", code])
