# SPDX-License-Identifier: Apache-2.0
"""No file crashes the runtime: bundles of every op are damaged at random and by edits of their tables, opened and run.

With the sanitizer build where it is there (tools/test makes it), else with the plain one.
"""

from __future__ import annotations

import json
import pathlib
import subprocess

import pytest
from parity.op_bundles import one_op_bundle, operands
from tool_scripts import fuzz_program, tool

from tealight import ops

SEED = 20261124
MUTATIONS = 100
STRUCTURAL = 25
MAX_BYTES = 40_000


def _bundles(op: str) -> list[bytes]:
    """Returns bundles of the first, a middle and the last case of an op."""
    count = len(ops.get(op).cases())
    data = [one_op_bundle(op, ops.get(op).cases()[i], operands(op, i)) for i in sorted({0, count // 2, count - 1})]
    return [d for d in data if len(d) <= MAX_BYTES]


@pytest.mark.slow
@pytest.mark.parametrize("op", [op for op in ops.names() if ops.get(op).cases()])
def test_damaged_bundles_give_a_status(op: str, tmp_path: pathlib.Path) -> None:
    program = fuzz_program("asan", "host")
    mutate = tool("fuzz/mutate")
    path, fields = tmp_path / "op.tea", tmp_path / "op.fields"
    for data in _bundles(op):
        path.write_bytes(data)
        mutate.scalar_fields(data).tofile(fields)
        stream = b"".join(mutate.stream(data, STRUCTURAL, SEED))
        for arguments, stdin in (([path, str(MUTATIONS), str(SEED), fields], None), (["-", str(SEED)], stream)):
            done = subprocess.run([program, *arguments], input=stdin, capture_output=True, timeout=300)
            assert done.returncode == 0, f"{op}: {done.stderr[-3000:].decode(errors='replace')}"
            assert json.loads(done.stdout)["silent"] == 0
