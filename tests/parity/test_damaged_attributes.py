# SPDX-License-Identifier: Apache-2.0
"""Factors of integer ops that are no numbers: refused when a session opens, since paths would round them unlike."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np
import pytest
from parity.op_bundles import one_op_bundle, operands

from tealight import ops
from tealight.bundle import writer
from tealight.emulator.native import NativeSession
from tealight.errors import TealightError
from tealight.ir.graph import Graph
from tealight.ir.types import DType, TensorType
from tealight.lower.emit import emit

#: (op, path of the attribute).
ATTRIBUTES = [
    ("q_binary", "scale"),
    ("q_binary", "positive_scale"),
    ("q_matmul", "scale"),
    ("q_reduce", "scale"),
    ("q_average_pool2d", "scale"),
    ("q_layer_norm", "x_scale"),
    ("q_layer_norm", "epsilon"),
    ("q_group_norm", "x_scale"),
    ("q_binary", "add.a_scale"),
    ("q_conv2d", "residual_add.b_scale"),
    ("q_fully_connected", "residual_add.offset"),
    ("q_depthwise_conv2d", "residual_add.a_scale"),
]
#: Ops with a constant scale per channel, and its operand.
CHANNELS = {
    "q_conv2d": 3,
    "q_depthwise_conv2d": 3,
    "q_fully_connected": 3,
    "q_conv_transpose2d": 3,
    "dynamic_fully_connected": 2,
    "dynamic_conv2d": 2,
}


def _set(attrs: dict[str, Any], path: str, value: float) -> bool:
    """Sets an attribute where there is one."""
    *tables, name = path.split(".")
    for table in tables:
        if attrs.get(table) is None:
            return False
        attrs = attrs[table]
    if name not in attrs:
        return False
    attrs[name] = value
    return True


def _damaged_bundle(op: str, path: str, value: float) -> bytes:
    """Returns the bundle of the first case that has the attribute, with another value of it."""
    for index, case in enumerate(ops.get(op).cases()):
        attrs = copy.deepcopy(case.attrs)
        if _set(attrs, path, value):
            return one_op_bundle(op, dataclasses.replace(case, attrs=attrs), operands(op, index))
    raise AssertionError(f"no case of {op} has {path}")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("op", "path"), ATTRIBUTES)
def test_attribute_is_refused(op: str, path: str, value: float, native: None) -> None:
    with pytest.raises(TealightError, match=f"{path.split('.')[-1]}: -?(nan|inf), expected a finite number"):
        NativeSession(_damaged_bundle(op, path, value))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("op", CHANNELS)
def test_channel_scale_is_refused(op: str, value: float, native: None) -> None:
    case, arrays = ops.get(op).cases()[0], operands(op, 0)
    scale = arrays[CHANNELS[op]]
    assert scale is not None
    arrays[CHANNELS[op]] = np.where(np.arange(scale.size) == scale.size - 1, np.float32(value), scale)
    with pytest.raises(TealightError, match=r"scale: -?(nan|inf), expected a finite number"):
        NativeSession(one_op_bundle(op, case, arrays))


def test_windows_of_many_taps_over_no_channels_are_refused(native: None) -> None:
    x, weight = np.zeros((1, 1, 1, 0), np.int8), np.zeros((2, 300, 300, 0), np.int8)
    attrs = {"kernel_shape": [300, 300], "strides": [1, 1], "pads": [300] * 4, "dilations": [1, 1], "group": 1}
    case = ops.Case([x, weight], attrs)
    with pytest.raises(TealightError, match="at most 65536 taps"):
        NativeSession(one_op_bundle("conv_integer", case, [x, weight]))


@pytest.mark.parametrize("op", ["depthwise_conv2d", "q_depthwise_conv2d", "max_pool2d", "q_average_pool2d"])
def test_stride_beyond_what_positions_hold_is_refused(op: str, native: None) -> None:
    case, arrays = ops.get(op).cases()[0], operands(op, 0)
    case = dataclasses.replace(case, attrs={**case.attrs, "strides": [1, 2**30]})
    with pytest.raises(TealightError, match=r"window or image of more than 2\^29"):
        NativeSession(one_op_bundle(op, case, arrays))


@pytest.mark.parametrize(("op", "dtype"), [("resize", DType.FLOAT32), ("q_resize", DType.INT8)])
def test_resize_of_which_only_the_ends_fit_memory_is_refused(op: str, dtype: DType, native: None) -> None:
    """The inner axes grow before the outer ones shrink: 2^62 elements of 4 bytes, which are 0 in 64 bits."""
    case = next(c for c in ops.get(op).cases() if c.attrs.get("mode") == "linear")
    graph = Graph("main")
    x = graph.add_input("x", TensorType(dtype, (2**16, 2**15, 1, 1)))
    sizes = graph.constant(np.array([1, 1, 2**16, 2**15]), "sizes")
    attrs = {**case.attrs, "axes": [], "keep_aspect_ratio": 0, "antialias": False}
    graph.outputs = graph.add(op, [x, None, None, sizes], attrs, name="resize", outputs=["y"])
    with pytest.raises(TealightError, match=r"more than 2\^48 elements between x and the result"):
        NativeSession(writer.to_bytes(emit(graph).bundle))
