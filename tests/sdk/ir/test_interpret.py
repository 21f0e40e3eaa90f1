# SPDX-License-Identifier: Apache-2.0
"""The interpreter runs graphs with the ops' references."""

import numpy as np
import pytest
from graph_builder import Build

from tealight.errors import TealightError
from tealight.ir.graph import Graph
from tealight.ir.interpret import evaluate
from tealight.ir.types import DType, TensorType


def test_runs_nodes_in_order():
    b = Build()
    b.graph.outputs = [b.transpose(b.reshape(b.input(2, 6), 3, 4), 1, 0)]
    result = evaluate(b.graph, {"x": np.arange(12, dtype=np.float32).reshape(2, 6)})
    np.testing.assert_array_equal(result["transpose"], np.arange(12).reshape(3, 4).T)


def test_missing_input_is_named():
    b = Build()
    b.graph.outputs = [b.transpose(b.input(2, 6), 1, 0)]
    with pytest.raises(TealightError, match="input 'x': missing"):
        evaluate(b.graph, {})


def test_loop_carries_and_stacks():
    scalar, flag = TensorType(DType.INT64, ()), TensorType(DType.BOOL, ())
    body = Graph("body")
    body.add_input("i", scalar)
    go = body.add_input("go", flag)
    state = body.add_input("state", TensorType(DType.FLOAT32, (2, 3)))
    turned = body.add("transpose", [body.add("transpose", [state], {"perm": [1, 0]})[0]], {"perm": [1, 0]})[0]
    body.outputs = [go, turned, state]
    b = Build()
    x = b.input(2, 3)
    b.graph.outputs = b.graph.add(
        "loop", [b.const(4, np.int64), None, x], {"carried": 1}, subgraphs={"body": body}, outputs=2
    )
    results = evaluate(b.graph, b.feeds)
    assert [a.shape for a in results.values()] == [(2, 3), (4, 2, 3)]
