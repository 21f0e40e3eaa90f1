# SPDX-License-Identifier: Apache-2.0
"""Folding while importing: what becomes a constant, what stays, and what is known of shapes."""

from __future__ import annotations

import numpy as np
import pytest

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


def open_vector(*items: object, dtype: DType = DType.INT64) -> tuple[folding.Knowledge, Value]:
    knowledge, g = folding.Knowledge(), Graph("g")
    value = g.add_input("v", TensorType(dtype, (len(items),)))
    knowledge.put(value, folding.objects(list(items), (len(items),)))
    return knowledge, value


def test_a_slice_without_axes_keeps_its_steps() -> None:
    knowledge, shape = open_vector("n", 3, 4, 5)
    start, end, step = constants(np.array([1]), np.array([4]), np.array([2]))
    known = knowledge.propagate("slice", [shape, start, end, None, step], {})
    assert known is not None and known.tolist() == [3, 5]


@pytest.mark.parametrize(
    ("dtype", "factor"), [(DType.INT64, 1 << 62), (DType.INT32, 1 << 30), (DType.UINT8, 1), (DType.INT16, 1)]
)
def test_what_may_wrap_around_at_run_time_is_forgotten(dtype: DType, factor: int) -> None:
    knowledge, shape = open_vector("n", 7, dtype=dtype)
    (times,) = constants(np.array(factor, dtype.numpy))
    known = knowledge.propagate("binary", [shape, times], {"kind": "mul"})
    assert known is not None
    result = Graph("g").add_input("y", TensorType(dtype, (2,)))
    assert knowledge.learn(result, known) is None and knowledge.get(result) is None


def test_a_result_that_is_known_whole_becomes_its_elements() -> None:
    knowledge, shape = open_vector("n", 7)
    (index,) = constants(np.array([1]))
    known = knowledge.propagate("gather", [shape, index], {"axis": 0})
    array = knowledge.learn(Graph("g").add_input("y", TensorType(DType.INT32, (1,))), known)
    assert array is not None and array.dtype == np.int32 and array.tolist() == [7]
