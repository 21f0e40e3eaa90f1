# SPDX-License-Identifier: Apache-2.0
"""The node tests of the ONNX standard through the whole pipeline: nothing changes but the graph.

Each case runs twice: as it is, and with every operand but the first constant, where folding and fusion have most to do.
"""

from __future__ import annotations

import pytest
from sdk.frontends.test_onnx_node_cases import SUPPORTED, as_array, compare, with_constants

from tealight.errors import ImportModelError
from tealight.frontends import onnx as frontend
from tealight.ir.interpret import evaluate
from tealight.ir.verify import verify
from tealight.passes import pipeline


def check(model, inputs, expected, case) -> None:
    """Imports, optimises and evaluates a case."""
    graph = frontend.load(model)
    pipeline.run(graph)
    verify(graph)
    feeds = {i.name: as_array(a) for i, a in zip(case.model.graph.input, inputs, strict=False)}
    outputs = evaluate(graph, {v.name: feeds[v.name] for v in graph.inputs})
    assert list(outputs) == [o.name for o in case.model.graph.output]
    for got, want in zip(outputs.values(), expected, strict=True):
        compare(got, as_array(want), case)


@pytest.mark.slow
@pytest.mark.parametrize("constant", [False, True], ids=["computed", "constant"])
@pytest.mark.parametrize("case", SUPPORTED, ids=lambda c: c.name)
def test_case(case, constant):
    for inputs, expected in case.data_sets:
        if constant and len(inputs) < 2:
            pytest.skip("one operand")
        model = with_constants(case.model, inputs) if constant else case.model
        try:
            check(model, inputs, expected, case)
        except ImportModelError:
            if constant or len(inputs) < 2:
                raise
            pytest.skip("imports with constant operands only")
