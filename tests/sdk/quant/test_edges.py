# SPDX-License-Identifier: Apache-2.0
"""int8 inputs and outputs, and those that cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from graph_builder import Build

from tealight.errors import QuantizeError
from tealight.ir.types import DType
from tealight.quant import recipe as recipes
from tealight.quant.apply import apply
from tealight.quant.edges import quantize_edges


def test_edges_become_int8_and_say_what_they_stand_for() -> None:
    b = Build()
    scale, zero = b.const(0.5), b.const(3, np.int8)
    q = b("quantize", b.input(2, 3), scale, zero, axis=0)
    b.graph.outputs = [b("dequantize", b.reshape(q, 3, 2), scale, zero, axis=0)]
    name = b.graph.outputs[0].name
    assert quantize_edges(b.graph) == []
    assert [n.op for n in b.graph.nodes] == ["reshape"]
    for v, wanted in ((b.graph.inputs[0], "x"), (b.graph.outputs[0], name)):
        assert v.name == wanted and v.dtype is DType.INT8
        assert v.type.quantization is not None
        assert float(v.type.quantization.scale) == 0.5 and int(v.type.quantization.zero_point) == 3


def test_what_floats_read_or_compute_stays() -> None:
    b = Build()
    x = b.input(2, 3)
    scale, zero = b.const(0.5), b.const(3, np.int8)
    d = b("dequantize", b("quantize", x, scale, zero, axis=0), scale, zero, axis=0)
    b.graph.outputs = [b.binary("add", x, d)]
    notes = quantize_edges(b.graph)
    assert [n for n, _ in notes] == ["x", b.graph.outputs[0].name]
    assert b.graph.inputs[0].dtype is DType.FLOAT32


def test_int8_edges_need_a_recipe_that_quantizes() -> None:
    b = Build()
    b.graph.outputs = [b.unary("relu", b.input(2, 3))]
    with pytest.raises(QuantizeError, match="io: int8 without 'static_wi8_ai8'"):
        apply(b.graph, recipes.load({"recipe": "float16", "io": "int8"}), None, {})
