# SPDX-License-Identifier: Apache-2.0
"""Every remarkable instruction has its reason."""

from graph_builder import Build

from tealight.bundle import writer
from tealight.lower.emit import emit
from tealight.passes import pipeline
from tealight.report.explain import explain


def test_reasons(tmp_path):
    b = Build()
    x = b.input(1, 3, 8, 8)
    y = b.conv(b.transpose(x, 0, 2, 3, 1), 3)
    z = b.unary("relu", b.binary("add", b.conv(b.unary("relu", y), 3), y))
    b.graph.outputs = [b.unary("exp", b.unary("tanh", z))]
    pipeline.run(b.graph)
    writer.write(tmp_path / "m.tea", writer.to_bytes(emit(b.graph).bundle))
    texts = " | ".join(f"{r.op}: {r.text}" for r in explain(tmp_path / "m.tea")[0])
    for part in ("transpose: the source model wants this input", "the sum behind it was fused", "applies relu",
                 "elementwise nodes (tanh, exp) run in one loop", "packed at build time"):  # fmt: skip
        assert part in texts
