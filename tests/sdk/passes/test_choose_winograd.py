# SPDX-License-Identifier: Apache-2.0
"""Winograd is chosen only where it pays, its tile by the size of the weights."""

import pytest
from graph_builder import Build, attrs_of

from tealight.passes.choose_winograd import choose_winograd


@pytest.mark.parametrize(
    ("option", "channels", "stride", "expected"),
    [(True, 32, 1, 4), (False, 32, 1, 0), (True, 8, 1, 0), (True, 32, 2, 0), (True, 160, 1, 2)],
)
def test_choice(option, channels, stride, expected):
    b = Build()
    b.graph.outputs = [b.conv(b.input(1, 16, 16, channels), channels, strides=[stride, stride])]
    from tealight.passes._manager import Options

    choose_winograd(b.graph, Options(winograd=option))
    assert attrs_of(b.graph, "conv2d")[0]["winograd"] == expected
