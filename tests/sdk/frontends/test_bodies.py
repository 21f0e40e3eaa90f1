# SPDX-License-Identifier: Apache-2.0
"""What branches and loops of all foreign formats share."""

from __future__ import annotations

import pytest

from tealight.frontends import bodies
from tealight.frontends.problems import RefusedError
from tealight.ir.graph import Graph, Value
from tealight.ir.types import DType, TensorType


def carried(*shape: int | str, dtype: DType = DType.FLOAT32) -> Value:
    return Graph("g").add_input("y", TensorType(dtype, shape))


def test_dims_that_change_get_symbols_that_stay() -> None:
    before = TensorType(DType.FLOAT32, (2, 3, "n"))
    once = bodies.wider("l", before, carried(2, 4, "n"))
    assert once == TensorType(DType.FLOAT32, (2, "?loop.l.y.1", "n"))
    assert bodies.wider("l", once, carried(2, 5, "n")) == once


def test_other_dtype_or_rank_is_refused() -> None:
    for result in (carried(2, 3, dtype=DType.INT64), carried(2)):
        with pytest.raises(RefusedError, match="expected the same dtype and rank"):
            bodies.wider("l", TensorType(DType.FLOAT32, (2, 3)), result)


def test_outputs_are_computed_in_the_graph_each_once() -> None:
    graph = Graph("g")
    x = graph.add_input("x", TensorType(DType.FLOAT32, (2,)))
    (y,) = graph.add("unary", [x], {"kind": "relu"})
    outputs = bodies.own_outputs(graph, [x, y, y])
    assert outputs[1] is y and len({id(v) for v in outputs}) == 3
    assert [v.producer.inputs for v in outputs if v.producer and v is not y] == [[x], [y]]
