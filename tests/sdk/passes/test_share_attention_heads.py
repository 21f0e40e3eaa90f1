# SPDX-License-Identifier: Apache-2.0
"""Grouped-query attention without copies of the keys."""

import numpy as np
import pytest
from graph_builder import Build

from tealight.passes.share_attention_heads import share_attention_heads


def repeat(b, x, n):
    """Repeats each head of [b, g, t, d] n times, as exporters spell it."""
    batch, g, t, d = x.shape
    return b.reshape(b("expand", b.reshape(x, batch, g, 1, t, d), b.ints(1, 1, n, 1, 1)), batch, g * n, t, d)


def network(b, rows, mask):
    q, k, v = b.input(1, 6, rows, 8), b.input(1, 2, 5, 8, name="k"), b.input(1, 2, 5, 4, name="v")
    return b("attention", q, repeat(b, k, 3), repeat(b, v, 3), mask)


@pytest.mark.parametrize("kind", ["none", "broadcast", "constant"])
def test_keys_are_read_once(kind):
    b = Build()
    mask = None
    if kind == "broadcast":
        mask = b.input(1, 1, 1, 5, name="mask")
    elif kind == "constant":
        mask = b.const(np.triu(np.full((4, 5), -1e9), 1))
    ops = b.run(share_attention_heads, outputs=[network(b, 4, mask)])
    assert "expand" not in ops and ops.count("attention") == 1


@pytest.mark.parametrize("shape", [(1, 1, 4, 5), (1, 6, 1, 5)])
def test_keeps_masks_that_would_need_copies(shape):
    b = Build()
    assert "expand" in b.run(share_attention_heads, outputs=[network(b, 4, b.input(*shape, name="mask"))])


def test_keeps_an_attention_without_rows():
    b = Build()
    assert "expand" in b.run(share_attention_heads, outputs=[network(b, 0, None)])


def test_keeps_heads_repeated_in_another_order():
    b = Build()
    q, k = b.input(1, 6, 4, 8), b.input(1, 2, 5, 8, name="k")
    other = b.reshape(b("expand", b.reshape(k, 1, 1, 2, 5, 8), b.ints(1, 3, 1, 1, 1)), 1, 6, 5, 8)
    assert "expand" in b.run(share_attention_heads, outputs=[b("attention", q, other, other)])
