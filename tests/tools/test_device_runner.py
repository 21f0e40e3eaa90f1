# SPDX-License-Identifier: Apache-2.0
"""tools/device on this machine: what it leaves behind, and its errors; phones are in test_phone_bench.py."""

from __future__ import annotations

import json
import pathlib
import struct
import subprocess

import numpy as np
import pytest
from sdk.small_graphs import small_bundle

RUNNER = pathlib.Path(__file__).resolve().parents[2] / "build" / "host" / "tealight_runner"
X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
INPUTS = struct.pack("<II3qQ", 1, 3, 2, 3, 4, X.nbytes) + X.tobytes()


@pytest.fixture
def run(tmp_path):
    """Runs the program on a bundle in a folder with inputs."""
    if not RUNNER.exists():
        pytest.skip(f"{RUNNER} is not built; tools/test builds it")
    (tmp_path / "m.tea").write_bytes(small_bundle())
    (tmp_path / "inputs.bin").write_bytes(INPUTS)

    def call(*options, bundle="m.tea"):
        command = [str(RUNNER), str(tmp_path / bundle), *options]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    return call


def test_report_and_outputs(run, tmp_path):
    assert run("--bench", ".", "--runs", "3", "--warmup", "0", "--isa", "scalar", "--profile").returncode == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert len(report["runs_ns"]) == 3 and report["isa"] == "scalar" and report["self_test"] == "none"
    assert report["outputs"] == [{"name": "y", "dtype": 1, "shape": [6, 4]}]
    assert [row["op"] for row in report["profile"]] == ["transpose", "reshape"]
    assert (tmp_path / "output_0.bin").read_bytes() == X.transpose(1, 0, 2).tobytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--bench", "nowhere"], "nowhere/inputs.bin cannot be opened, expected a folder with inputs.bin"),
        (["--bench", ".", "--runs", "many"], "option with a bad number, expected one from 0 to 1000000"),
        (["--bench", ".", "--runs", "-1"], "option with a bad number"),
        (["--bench", ".", "--isa", "sse9"], "sse9"),
        (["--bench"], "unknown option, expected --threads"),
        (["--bench", "x" * 4200], "expected a shorter path"),
    ],
)
def test_errors(run, options, message):
    done = run(*options)
    assert done.returncode == 1 and done.stderr.startswith("tealight_runner: ") and message in done.stderr


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (b"", "input ended"),
        (INPUTS[:-1], "input ended"),
        (INPUTS + b"x", "inputs.bin goes on after the last input"),
        (struct.pack("<II", 1, 9) + INPUTS, "tensor of more than 8 dims"),
        (struct.pack("<II3qQ", 4, 3, 2, 3, 4, 24) + bytes(24), "int8"),
        (struct.pack("<II0qQ", 1, 0, 1 << 60), "out of memory for an input"),
    ],
)
def test_bad_inputs(run, tmp_path, inputs, message):
    (tmp_path / "inputs.bin").write_bytes(inputs)
    done = run("--bench", ".")
    assert done.returncode == 1 and message in done.stderr


def test_a_bundle_that_is_none(run):
    done = run("--bench", ".", bundle="inputs.bin")
    assert done.returncode == 1 and "magic is not 'TEAL'" in done.stderr


def test_a_full_disk(run, tmp_path):
    (tmp_path / "report.json").symlink_to("/dev/full")
    done = run("--bench", ".")
    assert done.returncode == 1 and "output cannot be written, expected room" in done.stderr
