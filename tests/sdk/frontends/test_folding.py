# SPDX-License-Identifier: Apache-2.0
"""Folding while importing: what becomes a constant, what stays, and what is known of shapes."""

from __future__ import annotations

import numpy as np

from tealight.frontends import folding
from tealight.ir.graph import Graph, Value
from tealight.ir.types import DType, TensorType


def constants(*arrays: object) -> list[Value | None]:
    g = Graph("g")
    return [g.constant(np.asarray(a)) for a in arrays]


def test_an_op_over_constants_is_folded() -> None:
    (y,) = folding.fold("binary", constants(np.float32(2), np.float32(3)), {"kind": "add"}) or [None]
    assert y == np.float32(5)


def test_what_grows_is_left_to_the_program() -> None:
    operands = constants(np.array([4096, 4096]), np.array([1.0], np.float32))
    assert folding.fold("constant_of_shape", operands, {}) is None
    assert folding.fold("constant_of_shape", operands, {}, force=True) is not None


def test_dequantize_stays_for_the_integer_kernels() -> None:
    operands = constants(np.array([1, -2], np.int8), np.float32(0.5))
    assert folding.fold("dequantize", operands, {}) is None
    (y,) = folding.fold("dequantize", operands, {}, force=True) or [None]
    np.testing.assert_array_equal(y, np.array([0.5, -1], np.float32))


def test_elements_of_a_shape_are_known_with_an_open_batch() -> None:
    knowledge = folding.Knowledge()
    (index,) = constants(np.array([0, 1]))
    g = Graph("g")
    open_shape = g.add_input("shape", TensorType(DType.INT64, (2,)))
    knowledge.put(open_shape, folding.objects(["n", 7], (2,)))
    known = knowledge.propagate("gather", [open_shape, index], {"axis": 0})
    assert known is not None and known.tolist() == ["n", 7]
    assert folding.as_ints(known) is None
