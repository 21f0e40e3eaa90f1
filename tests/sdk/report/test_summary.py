# SPDX-License-Identifier: Apache-2.0
"""What a summary says of a bundle."""

import numpy as np
from graph_builder import Build

from tealight.bundle import writer
from tealight.lower.emit import emit
from tealight.report.summary import Row, by_op, summarize


def save(b: Build, path):
    """Writes a graph as a bundle."""
    writer.write(path, writer.to_bytes(emit(b.graph).bundle))
    return path


def test_static_program(tmp_path):
    b = Build()
    x = b.conv(b.input(1, 8, 8, 3), 5)
    b.graph.outputs = [b.unary("exp", b.unary("relu", x))]
    summary = summarize(save(b, tmp_path / "m.tea"))
    (program,) = summary.programs
    assert program.is_static and program.macs == 8 * 8 * 5 * 27
    assert [r.fused for r in program.rows] == ["", "relu", "exp"]
    assert program.rows[0].weight_bytes > 5 * 27 * 4 and program.rows[0].activation_bytes == 8 * 8 * 8 * 4
    assert 0 < program.arena_lower_bound <= program.arena_bytes
    assert all(s.offset + s.size <= program.arena_bytes for s in program.spans)
    assert summary.file == "m.tea" and summary.to_json()["programs"][0]["rows"][1]["op"] == "unary"


def test_golden_data_is_no_weights(tmp_path):
    b = Build()
    b.graph.outputs = [b.conv(b.input(1, 8, 8, 3), 5)]
    bundle = emit(b.graph).bundle
    writer.write(tmp_path / "m.tea", writer.to_bytes(bundle))
    weights = len(bundle.constants)
    blobs = [*bundle.constants, np.zeros(8 * 8 * 3, np.float32), np.zeros(8 * 8 * 5, np.float32)]
    bundle.golden = [{"program": 0, "inputs": [weights], "outputs": [weights + 1], "input_dims": []}]
    writer.set_constants(bundle, blobs)
    writer.write(tmp_path / "g.tea", writer.to_bytes(bundle))
    plain, golden = (summarize(tmp_path / name) for name in ("m.tea", "g.tea"))
    assert golden.weights_bytes == plain.weights_bytes and golden.file_bytes > plain.file_bytes


def test_totals_by_op():
    rows = [Row(i, op, "", [], [], "", 4, 0, macs, "cpu", ns) for i, (op, macs, ns) in enumerate([
        ("conv2d", 100, 7), ("unary", None, 9), ("conv2d", 50, 8)])]  # fmt: skip
    assert [(t.op, t.count, t.macs, t.weight_bytes, t.min_ns) for t in by_op(rows)] == [
        ("conv2d", 2, 150, 8, 15), ("unary", 1, 0, 4, 9),
    ]  # fmt: skip


def test_open_shapes_have_no_sizes(tmp_path):
    b = Build()
    b.graph.outputs = [b.unary("exp", b.input("n", 4))]
    (program,) = summarize(save(b, tmp_path / "m.tea")).programs
    assert not program.is_static and program.spans == []
    assert program.rows[0].activation_bytes is None and program.inputs == ["x: float32[n, 4]"]
