# SPDX-License-Identifier: Apache-2.0
"""Dynamic quantization, spelled out, becomes one layer."""

import numpy as np
import pytest
from graph_builder import Build

from tealight.ir.types import DType
from tealight.passes.fuse_activation import fuse_activation
from tealight.passes.fuse_residual import fuse_residual
from tealight.passes.recognise_dynamic import recognise_dynamic


def scaled(b, sums, scale, weight_scale):
    return b.binary("mul", b("cast", sums, to=DType.FLOAT32.value), b.binary("mul", scale, weight_scale))


def product(b, dtype=np.int8, zero=0, per_column=False):
    q, s, z = b.many(3, "dynamic_quantize", b.input(2, 3, 8))
    info = np.iinfo(dtype)
    w = b.const(b.rng.integers(info.min + 1, info.max, (8, 5)), dtype)
    sums = b("matmul_integer", q, w, z, b.const(zero, dtype))
    return scaled(b, sums, s, b.const(np.linspace(0.01, 0.03, 5)) if per_column else b.const(0.02))


@pytest.mark.parametrize("per_column", [False, True])
@pytest.mark.parametrize(("dtype", "zero"), [(np.int8, 0), (np.uint8, 128)])
def test_product_with_bias(dtype, zero, per_column):
    b = Build()
    y = b.binary("add", product(b, dtype, zero, per_column), b.normal(5))
    assert b.run(recognise_dynamic, outputs=[y]) == ["dynamic_fully_connected"]


def test_keeps_weights_with_another_zero_point():
    b = Build()
    assert "matmul_integer" in b.run(recognise_dynamic, outputs=[product(b, np.uint8, 120)])


@pytest.mark.parametrize("shape", [(4, 1), (1, 1, 4), (1, 1, 1)])
def test_keeps_scales_of_rows_and_of_more_dims(shape):
    b = Build()
    q, s, z = b.many(3, "dynamic_quantize", b.input(4, 8))
    sums = b("matmul_integer", q, b.const(b.rng.integers(-9, 9, (8, 4)), np.int8), z)
    y = scaled(b, sums, s, b.const(np.linspace(0.01, 0.03, max(shape)).reshape(shape)))
    assert "matmul_integer" in b.run(recognise_dynamic, outputs=[y])


def test_one_quantization_for_several_products():
    b = Build()
    q, s, z = b.many(3, "dynamic_quantize", b.input(4, 8))
    parts = [b("matmul_integer", q, b.const(b.rng.integers(-9, 9, (8, n)), np.int8), z) for n in (3, 5)]
    outputs = [scaled(b, p, s, b.const(0.1)) for p in parts]
    assert b.run(recognise_dynamic, outputs=outputs) == ["dynamic_fully_connected"] * 2


@pytest.mark.parametrize("images", [1, 2])
def test_convolution_of_one_image(images):
    b = Build()
    q, s, z = b.many(3, "dynamic_quantize", b.input(images, 4, 6, 5))
    w = b.const(b.rng.integers(-9, 9, (7, 3, 3, 4)), np.int8)
    sums = b("conv_integer", b.transpose(q, 0, 2, 3, 1), w, z, kernel_shape=[3, 3], pads=[1] * 4)
    y = b.binary("add", scaled(b, b.transpose(sums, 0, 3, 1, 2), s, b.const(0.1)), b.normal(1, 7, 1, 1))
    ops = b.run(recognise_dynamic, outputs=[y])
    assert ops == ["transpose", "dynamic_conv2d", "transpose"] if images == 1 else "conv_integer" in ops


def test_layer_takes_the_sum_and_the_activation_behind_it():
    b = Build()
    y = b.unary("relu", b.binary("add", b.binary("add", product(b), b.normal(5)), b.input(2, 3, 5, name="r")))
    assert b.run(recognise_dynamic, fuse_residual, fuse_activation, outputs=[y]) == ["dynamic_fully_connected"]
