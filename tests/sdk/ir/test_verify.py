# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from sdk.small_graphs import FLOAT, reshape_graph

from tealight.errors import VerifyError
from tealight.ir.graph import Value
from tealight.ir.printer import to_text
from tealight.ir.types import DType, TensorType
from tealight.ir.verify import verify


def test_good_graph():
    verify(reshape_graph(1000))


def _break(change):
    g = reshape_graph()
    change(g)
    with pytest.raises(VerifyError) as caught:
        verify(g)
    return str(caught.value)


def test_order():
    assert "is not computed before" in _break(lambda g: g.nodes.reverse())


def test_foreign_value():
    stray = Value("stray", TensorType(FLOAT, (2, 3, 4)))
    assert "'stray' is not computed before" in _break(lambda g: g.nodes[0].inputs.__setitem__(0, stray))


def test_names():
    assert "two values are named 'x'" in _break(lambda g: setattr(g.nodes[0].outputs[0], "name", "x"))


def test_producer():
    assert "must have this node" in _break(lambda g: setattr(g.nodes[0].outputs[0], "producer", g.nodes[1]))


def test_types():
    wrong = TensorType(DType.INT32, (3, 2, 4))
    assert "inference says" in _break(lambda g: setattr(g.nodes[0].outputs[0], "type", wrong))


def test_attributes():
    assert "attributes" in _break(lambda g: g.nodes[0].attrs.clear())


def test_unknown_op():
    assert "op 'nope'" in _break(lambda g: setattr(g.nodes[0], "op", "nope"))


def test_outputs():
    stray = Value("stray", TensorType(FLOAT, (1,)))
    assert "output 'stray': not computed" in _break(lambda g: g.outputs.append(stray))


def test_double_input():
    assert "listed twice" in _break(lambda g: g.inputs.append(g.inputs[0]))


def test_text():
    assert to_text(reshape_graph()).splitlines() == [
        "main(%x: float32[2, 3, 4]):",
        "  %t: float32[3, 2, 4] = transpose(%x, perm=[1, 0, 2])",
        "  %y: float32[6, 4] = reshape(%t, [6, 4])",
        "  return %y",
    ]
