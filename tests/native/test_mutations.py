# SPDX-License-Identifier: Apache-2.0
"""No file crashes the runtime: bundles of every op are damaged at random, opened and run.

With the sanitizer build where it is there (tools/test makes it), else with the plain one.
"""

from __future__ import annotations

import pathlib
import subprocess

import pytest
from parity.op_bundles import one_op_bundle, operands

from tealight import ops

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = [ROOT / "build" / name / "tealight_mutate" for name in ("asan", "host")]
SEED = 20261124
MUTATIONS = 100
MAX_BYTES = 40_000


def _bundles(op: str, folder: pathlib.Path) -> list[pathlib.Path]:
    """Writes bundles of the first, a middle and the last case of an op."""
    count = len(ops.get(op).cases())
    paths = []
    for i in sorted({0, count // 2, count - 1}):
        data = one_op_bundle(op, ops.get(op).cases()[i], operands(op, i))
        if len(data) <= MAX_BYTES:
            paths.append(folder / f"{op}-{i}.tea")
            paths[-1].write_bytes(data)
    return paths


@pytest.mark.slow
@pytest.mark.parametrize("op", [op for op in ops.names() if ops.get(op).cases()])
def test_damaged_bundles_give_a_status(op: str, tmp_path: pathlib.Path) -> None:
    program = next((p for p in PROGRAMS if p.exists()), None)
    if program is None:
        pytest.skip("tealight_mutate is not built; tools/test builds it")
    paths = _bundles(op, tmp_path)
    done = subprocess.run([program, str(SEED), str(MUTATIONS), *paths], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{op}: {done.stderr[-3000:]}"
