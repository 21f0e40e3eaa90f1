# SPDX-License-Identifier: Apache-2.0
"""tools/fuzz/files.py: a sound runtime passes, and a program that crashes is reported."""

import pathlib
import sys

import pytest
from parity.op_bundles import one_op_bundle, operands
from tool_scripts import fuzz_program

from tealight import ops
from tealight.bundle import writer
from tealight.ir.graph import Graph
from tealight.ir.types import DType, TensorType
from tealight.lower.emit import emit

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "fuzz"))

import files  # noqa: E402


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "op.tea"
    path.write_bytes(one_op_bundle("q_conv2d", ops.get("q_conv2d").cases()[0], operands("q_conv2d", 0)))
    return path


def test_every_variant_is_counted(bundle):
    program = fuzz_program("host")
    total, reports = files.damage(program, bundle, 160, 3)
    assert reports == []
    assert total["variants"] == 160 and total["ran"] > 0 and total["silent"] == 0


def test_inputs_whose_dims_depend_on_each_other_are_run(tmp_path):
    program = fuzz_program("host")
    graph = Graph("main")
    total = graph.add_input("x", TensorType(DType.FLOAT32, ("n", "m", 64)))
    for i in range(4):  # by chance all dims fit in one run of thousands
        x = graph.add_input(f"x{i}", TensorType(DType.FLOAT32, ("n", "m", 64)))
        (total,) = graph.add("binary", [total, x], {"kind": "add"}, name=f"add{i}", outputs=[f"y{i}"])
    graph.outputs = [total]
    path = tmp_path / "sum.tea"
    path.write_bytes(writer.to_bytes(emit(graph).bundle))
    counts, reports = files.damage(program, path, 160, 3)
    assert reports == [] and counts["ran"] > 16


def test_a_crash_is_reported(bundle, tmp_path):
    program = tmp_path / "crash"
    program.write_text("#!/bin/sh\necho damage >&2\nkill -SEGV $$\n")
    program.chmod(0o755)
    total, reports = files.damage(program, bundle, 16, 3)
    assert total["variants"] == 0 and len(reports) == files.PARTS
    assert "exit status -11" in reports[1] and "damage" in reports[1]
