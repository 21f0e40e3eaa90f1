# SPDX-License-Identifier: Apache-2.0
"""Damaged bundles of real models, opened and run by the sanitizer build of the runtime.

A sample of variants of each model; TEALIGHT_FUZZ=full makes 2000.

Truncations, changed bits, numbers and fields, swapped segments (tools/fuzz/fuzz_bundle.cc) and edits of the decoded
tables (tools/fuzz/mutate.py): no crash, no hang, no sanitizer report, and a message with every failure.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from tool_scripts import fuzz_program, tool

import tealight
from tealight.bundle import reader
from tealight.emulator.reference import ReferenceSession
from tealight.errors import TealightError

ROOT = pathlib.Path(__file__).resolve().parents[3]
ASSETS = pathlib.Path(os.environ.get("TEALIGHT_ASSETS", ROOT.parent / "shared" / "assets"))
MODELS = sorted(p for p in ASSETS.glob("*/*.onnx") if "qdq" not in p.name)
SEED = int(os.environ.get("TEALIGHT_FUZZ_SEED", "20261124"))
#: Variants of bytes and of decoded tables for each model. 2000 take hours of sanitized runs over all models:
#: TEALIGHT_FUZZ=full asks for them, the daily run takes a sample.
OWN, STRUCTURAL = (1750, 250) if os.environ.get("TEALIGHT_FUZZ") == "full" else (100, 20)


def _run(arguments: list[str], stdin: bytes | None = None) -> dict[str, int]:
    """Runs the driver and returns the number of results by status code."""
    environment = {
        **os.environ,
        "ASAN_OPTIONS": "allocator_may_return_null=1:detect_leaks=1",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    }
    done = subprocess.run(arguments, input=stdin, capture_output=True, timeout=900, env=environment)
    report = (done.stdout + done.stderr)[-5000:].decode(errors="replace")
    assert done.returncode == 0, f"seed {SEED}: {report}"
    counts = json.loads(done.stdout)
    assert counts["silent"] == 0 and counts["slowest_ms"] < 20_000, report
    return dict(counts["codes"])


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS, ids=lambda p: p.stem)
def test_damaged_models_give_a_status_with_a_message(model: pathlib.Path, tmp_path: pathlib.Path) -> None:
    program, mutate = fuzz_program("asan", "host"), tool("fuzz/mutate")
    path, fields = tmp_path / "model.tea", tmp_path / "model.fields"
    tealight.build(model, path)
    data = path.read_bytes()
    mutate.scalar_fields(data).tofile(fields)
    own = _run([str(program), str(path), str(OWN), str(SEED), str(fields)])
    stream = b"".join(mutate.stream(data, STRUCTURAL, SEED)) if len(data) < 4 << 20 else None
    if stream is None:  # large ones go through a pipe
        maker = [sys.executable, str(ROOT / "tools" / "fuzz" / "mutate.py"), str(path), str(STRUCTURAL), str(SEED)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "sdk")}
        stream = subprocess.run(maker, capture_output=True, check=True, env=environment).stdout
    edited = _run([str(program), "-", str(SEED)], stream)
    failures = sum(n for counts in (own, edited) for code, n in counts.items() if code != "0")
    assert failures > (OWN + STRUCTURAL) // 4, "the damage is too light to test anything"


@pytest.mark.slow
def test_python_reader_raises_only_its_own_errors(tmp_path: pathlib.Path) -> None:
    model = next((m for m in MODELS if m.stem == "kws_ref"), None)
    if model is None:
        pytest.skip(f"real models: {ASSETS} not found; set TEALIGHT_ASSETS")
    path = tmp_path / "model.tea"
    tealight.build(model, path)
    data = path.read_bytes()
    mutate, rng = tool("fuzz/mutate"), np.random.default_rng(SEED)
    fields = mutate.scalar_fields(data)
    make = mutate.structural(data)
    refused = 0
    for i in range(400):
        variant = bytearray(make(i) if i % 2 else data)
        if i % 4 == 0:
            field = fields[rng.integers(len(fields))]
            at = int(field["offset"])
            variant[at : at + int(field["bytes"])] = rng.bytes(int(field["bytes"]))
        elif i % 4 == 2:
            del variant[int(rng.integers(len(variant))) :]
        try:
            ReferenceSession(reader.read_bundle(bytes(variant)))
        except TealightError as e:
            assert str(e)
            refused += 1
    assert refused > 100
