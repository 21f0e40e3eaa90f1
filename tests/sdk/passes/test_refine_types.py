# SPDX-License-Identifier: Apache-2.0
"""What inference learns reaches the nodes behind."""

import dataclasses

from graph_builder import Build

from tealight.passes.refine_types import refine_types


def test_fixed_dims_replace_unknown_ones():
    b = Build()
    x = b.input(2, 3)
    y = b.unary("exp", x)
    y.type = dataclasses.replace(y.type, shape=("?0", 3))
    b.run(refine_types, outputs=[y])
    assert y.shape == (2, 3)


def test_named_symbols_stay():
    b = Build()
    y = b.unary("exp", b.input("batch", 3))
    b.run(refine_types, outputs=[y])
    assert y.shape == ("batch", 3)
