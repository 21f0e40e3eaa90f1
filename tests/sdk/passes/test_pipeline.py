# SPDX-License-Identifier: Apache-2.0
"""The whole pipeline on a small network, and how a broken pass is reported."""

import pytest
from graph_builder import Build

from tealight.errors import TealightError, VerifyError
from tealight.passes import pipeline
from tealight.passes._manager import Options, run_passes


def network():
    """Channels-first residual network, as a frontend makes it."""
    b = Build()
    x = b.input(1, 3, 8, 8)
    y = x
    for channels in (8, 8):
        y = b.transpose(b.conv(b.transpose(y, 0, 2, 3, 1), channels), 0, 3, 1, 2)
        y = b.binary("mul", y, b.normal(channels, 1, 1))
        y = b.unary("clip", b.binary("add", y, b.normal(1, channels, 1, 1)), alpha=0.0, beta=6.0)
    z = b.transpose(b.conv(b.transpose(y, 0, 2, 3, 1), 8), 0, 3, 1, 2)
    y = b.binary("add", y, z)
    y = b("reduce", y, b.ints(2, 3), kind="mean", keepdims=True)
    y = b("softmax", b.binary("add", b("matmul", b.reshape(y, 1, 8), b.normal(8, 5)), b.normal(5)), axis=-1)
    return b, y


def test_residual_network():
    b, y = network()
    ops = b.run(lambda g, o: len(pipeline.run(g)), outputs=[y])
    assert [op for op in ops if op not in ("transpose", "reshape")] == [
        "conv2d", "conv2d", "conv2d", "reduce", "fully_connected", "softmax",
    ]  # fmt: skip
    assert ops.count("transpose") <= 1
    assert [len([v for v in n.inputs if v]) for n in b.graph.nodes if n.op == "conv2d"] == [3, 3, 4]


def test_same_result_twice():
    texts = []
    for _ in range(2):
        b, y = network()
        b.graph.outputs = [y]
        pipeline.run(b.graph)
        texts.append(str(b.graph))
    assert texts[0] == texts[1]


def test_results_say_what_each_pass_did():
    b, y = network()
    b.graph.outputs = [y]
    results = {r.name: r for r in pipeline.run(b.graph)}
    assert results["fold_affine"].rewrites >= 4 and results["fuse_activation"].rewrites == 2


def test_error_names_the_pass_and_those_before():
    b = Build()
    b.graph.outputs = [b.unary("exp", b.input(3))]

    def good(graph, options):
        return 1

    def bad(graph, options):
        raise TealightError("unary 'x': broken, expected whole")

    with pytest.raises(VerifyError, match=r"pass bad: .*before: good"):
        run_passes(b.graph, [good, bad], Options())
