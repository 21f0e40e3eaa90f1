# SPDX-License-Identifier: Apache-2.0
"""Running a program of fixed shapes allocates nothing: counted by an allocator put before the C library's."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest
from models.asset_cases import float32_onnx_cases

import tealight

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]

#: Counts over the C call alone, since Python allocates around it; the control proves that the counter counts.
PROBE = r"""
import ctypes, json, sys
import numpy as np, tealight
from tealight.emulator import _ffi
count = ctypes.CDLL(None).allocation_calls
count.restype = ctypes.c_ulong
ffi, lib = _ffi.load()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
result = {}
for path in sys.argv[2:]:
    with tealight.Session(path, threads=int(sys.argv[1])) as session:
        if not session.memory.exact:
            continue
        inputs = {i.name: np.ones(i.shape, i.dtype) for i in session.inputs}
        results = session.run(inputs)  # keeps what the runs below write to
        handle, error = session._engine._session, ffi.new("tl_error*")
        calls = []
        for _ in range(4):
            before = count()
            status = lib.tl_session_run(handle, 0, error)
            calls.append(count() - before)
            assert status == 0, ffi.string(error.message)
        result[path] = calls[1:]
before = count()
libc.free(libc.malloc(100))
result["control"] = count() - before
print(json.dumps(result))
"""


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_later_runs_allocate_nothing(threads, assets, tmp_path):
    counter = tmp_path / "count.so"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", counter, HERE / "count_allocations.c"], check=True)
    bundles = []
    for model in sorted({case.model for case in float32_onnx_cases(assets)}):
        bundles.append(str(tmp_path / f"{model.parent.name}-{model.stem}.tea"))
        tealight.build(str(model), bundles[-1])
    environment = {**os.environ, "LD_PRELOAD": str(counter), "PYTHONPATH": str(ROOT / "sdk")}
    command = [sys.executable, "-c", PROBE, str(threads), *bundles]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    calls = json.loads(done.stdout)
    assert calls.pop("control") > 0
    assert len(calls) >= 15  # most of the models have fixed shapes
    assert not {path: c for path, c in calls.items() if any(c)}
