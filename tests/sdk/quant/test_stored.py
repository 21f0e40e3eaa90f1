# SPDX-License-Identifier: Apache-2.0
"""Integer weights of float layers stay integers, and the result keeps its value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tealight.ir.graph import Graph, Value
from tealight.ir.interpret import evaluate
from tealight.ir.types import DType, TensorType
from tealight.ir.verify import verify
from tealight.passes._manager import Options
from tealight.passes.choose_winograd import choose_winograd
from tealight.passes.fuse_residual import fuse_residual
from tealight.quant.integerize import integerize

RNG = np.random.default_rng(12)


def _graph(*shape: int) -> tuple[Graph, Value]:
    g = Graph("main")
    return g, g.add_input("x", TensorType(DType.FLOAT32, shape))


def _weight(
    g: Graph,
    shape: tuple[int, ...],
    dtype: DType,
    scales: tuple[int, ...],
    axis: int,
    block_size: int = 0,
    zero: bool = False,
) -> Value:
    lo, hi = {DType.INT8: (-128, 128), DType.UINT8: (0, 256), DType.INT4: (-8, 8), DType.UINT4: (0, 16)}[dtype]
    q = g.constant(RNG.integers(lo, hi, shape).astype(dtype.numpy), "q")
    inputs: list[Value | None] = [q, g.constant((RNG.uniform(0.5, 2, scales) / hi).astype(np.float32), "s")]
    if zero:
        inputs.append(g.constant(RNG.integers(lo, hi, scales).astype(dtype.numpy), "z"))
    return g.add("dequantize", inputs, {"axis": axis, "block_size": block_size}, name="dq")[0]


def _convert(g: Graph, shape: tuple[int, ...]) -> Any:
    feeds = {"x": RNG.standard_normal(shape).astype(np.float32)}
    (wanted,) = evaluate(g, feeds).values()
    notes = integerize(g)
    verify(g)
    (found,) = evaluate(g, feeds).values()
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    assert notes == [] and not any(n.op == "dequantize" for n in g.nodes)
    return g.nodes[-1]


@pytest.mark.parametrize("dtype", [DType.INT8, DType.UINT8, DType.INT4, DType.UINT4])
@pytest.mark.parametrize("zero", [False, True])
def test_matmul_with_a_scale_per_column(dtype: DType, zero: bool) -> None:
    g, x = _graph(3, 64)
    g.outputs = g.add("matmul", [x, _weight(g, (64, 48), dtype, (48,), 1, zero=zero)], {}, name="mm")
    node = _convert(g, (3, 64))
    stored = DType.INT8 if dtype is DType.UINT8 else dtype
    assert node.op == "fully_connected" and node.inputs[1].dtype is stored and node.inputs[4].shape == (48,)
    assert (node.input(5) is not None) == (zero or dtype is DType.UINT8)


@pytest.mark.parametrize("zero", [False, True])
def test_matmul_with_blocks(zero: bool) -> None:
    g, x = _graph(2, 5, 96)
    g.outputs = g.add("matmul", [x, _weight(g, (96, 40), DType.UINT4, (3, 40), 0, 32, zero)], {}, name="mm")
    node = _convert(g, (2, 5, 96))
    assert node.attrs["block_size"] == 32 and node.inputs[4].shape == (40, 3)


def test_conv_keeps_its_integers_through_later_passes() -> None:
    g, x = _graph(1, 16, 16, 32)
    (y,) = g.add("conv2d", [x, _weight(g, (32, 3, 3, 32), DType.INT8, (32,), 0)], {
        "kernel_shape": [3, 3], "pads": [1, 1, 1, 1]
    }, name="conv")  # fmt: skip
    g.outputs = g.add("binary", [y, x], {"kind": "add"}, name="sum")
    _convert(g, (1, 16, 16, 32))
    feeds = {"x": RNG.standard_normal((1, 16, 16, 32)).astype(np.float32)}
    (wanted,) = evaluate(g, feeds).values()
    fuse_residual(g, Options())
    choose_winograd(g, Options())
    verify(g)
    (node,) = g.nodes
    assert node.op == "conv2d" and node.input(3) is x and node.inputs[4] is not None and node.attrs["winograd"] == 4
    np.testing.assert_allclose(next(iter(evaluate(g, feeds).values())), wanted, rtol=1e-5, atol=1e-5)


def test_other_scales_become_float_weights() -> None:
    g, x = _graph(3, 64)
    g.outputs = g.add("matmul", [x, _weight(g, (64, 48), DType.INT8, (64,), 0)], {}, name="mm")
    node = _convert(g, (3, 64))
    assert all(v is None or v.dtype is DType.FLOAT32 for v in node.inputs)
