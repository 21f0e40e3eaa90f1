# SPDX-License-Identifier: Apache-2.0
"""Transposes and scales go into matmul; attention becomes one node."""

import pytest
from graph_builder import Build, attrs_of

from tealight.passes.recognise_attention import recognise_attention


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("scale", ["q", "scores", "div"])
def test_attention(mask, scale):
    b = Build()
    q, k, v = b.input(1, 4, 6, 8), b.input(1, 7, 4, 8, name="k"), b.input(1, 4, 7, 5, name="v")
    left = b.binary("mul", q, 0.125) if scale == "q" else q
    s = b("matmul", left, b.transpose(k, 0, 2, 3, 1))
    s = b.binary("mul", s, 0.125) if scale == "scores" else b.binary("div", s, 8.0) if scale == "div" else s
    if mask:
        s = b.binary("add", s, b.input(1, 1, 1, 7, name="mask"))
    ops = b.run(recognise_attention, outputs=[b("matmul", b("softmax", s, axis=-1), v)])
    assert [op for op in ops if op != "binary"] == ["transpose", "attention"]
    if scale != "q":
        assert attrs_of(b.graph, "attention")[0]["scale"] == pytest.approx(0.125)


def test_keeps_scores_that_are_an_output():
    b = Build()
    q, k = b.input(1, 4, 6, 8), b.input(1, 4, 7, 8, name="k")
    s = b("softmax", b("matmul", q, b.transpose(k, 0, 1, 3, 2)), axis=-1)
    ops = b.run(recognise_attention, outputs=[b("matmul", s, b.input(1, 4, 7, 8, name="v")), s])
    assert ops == ["matmul", "softmax", "matmul"]


def test_scale_passes_through_movement():
    b = Build()
    q, k, v = b.input(6, 4, 8), b.input(4, 7, 8, name="k"), b.input(4, 7, 5, name="v")
    left = b.transpose(b.binary("mul", b.unary("tanh", q), 0.25), 1, 0, 2)
    s = b("softmax", b("matmul", left, b.transpose(k, 0, 2, 1)), axis=-1)
    assert "binary" not in b.run(recognise_attention, outputs=[b("matmul", s, v)])
