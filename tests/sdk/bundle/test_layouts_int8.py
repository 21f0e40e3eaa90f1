# SPDX-License-Identifier: Apache-2.0
"""The packed layouts of int8 and int4 weights: what they hold, and that unpacking gives the weights back."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from tealight.bundle import layouts
from tealight.errors import TealightError
from tealight.ir.types import Layout


def weights(shape: tuple[int, ...], dtype: object = np.int8) -> np.ndarray:
    limit = 127 if dtype == np.int8 else 7
    return np.random.default_rng(3).integers(-limit, limit + 1, shape).astype(np.int8).astype(dtype)


@pytest.mark.parametrize("dtype", [np.int8, ml_dtypes.int4])
@pytest.mark.parametrize(("shape", "groups"), [((5, 3), 1), ((64, 3, 3, 7), 2), ((33, 8), 1), ((96, 1, 1, 20), 3)])
def test_gemm_n32k4_round_trip(dtype: object, shape: tuple[int, ...], groups: int) -> None:
    w = weights(shape, dtype)
    packed = layouts.pack(w, Layout.GEMM_N32K4, groups)
    data = packed if dtype != np.int8 else packed.view(np.int8)
    np.testing.assert_array_equal(layouts.unpack(data, Layout.GEMM_N32K4, shape, groups, dtype=dtype), w)


def test_gemm_n32k4_places_sums_first_then_steps_of_four() -> None:
    w = weights((34, 6))
    packed = layouts.pack(w, Layout.GEMM_N32K4).reshape(2, 128 + 2 * 128)
    sums = packed[:, :128].copy().view(np.int32)
    np.testing.assert_array_equal(sums.reshape(-1)[:34], w.astype(np.int32).sum(axis=1))
    assert not sums.reshape(-1)[34:].any()
    steps = packed[:, 128:].view(np.int8).reshape(2, 2, 32, 4)
    np.testing.assert_array_equal(steps[0, 0, 5], w[5, :4])
    np.testing.assert_array_equal(steps[1, 1, 1], [w[33, 4], w[33, 5], 0, 0])


@pytest.mark.parametrize("shape", [(16, 3, 3), (5, 1, 9), (40, 5, 5), (17, 7, 2)])
def test_dwconv_c16r4_round_trip(shape: tuple[int, ...]) -> None:
    w = weights(shape)
    packed = layouts.pack(w, Layout.DWCONV_C16R4)
    assert packed.nbytes == -(-shape[0] // 16) * (64 + shape[2] * -(-shape[1] // 4) * 64)
    np.testing.assert_array_equal(layouts.unpack(packed.view(np.int8), Layout.DWCONV_C16R4, shape), w)


@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (3, 2)])
def test_conv_transpose_n32k4_round_trip(strides: tuple[int, int]) -> None:
    w, attrs = weights((6, 3, 4, 5)), {"strides": list(strides), "dilations": [1, 1]}
    packed = layouts.pack(w, Layout.CONV_TRANSPOSE_N32K4, 2, attrs)
    np.testing.assert_array_equal(
        layouts.unpack(packed.view(np.int8), Layout.CONV_TRANSPOSE_N32K4, w.shape, 2, attrs), w
    )


@pytest.mark.parametrize("dtype", [ml_dtypes.int4, ml_dtypes.uint4])
@pytest.mark.parametrize("layout", [Layout.PLAIN, Layout.GEMM_N16])
def test_four_bit_elements_take_half_a_byte(dtype: object, layout: Layout) -> None:
    w = np.random.default_rng(4).integers(0, 8, (3, 5)).astype(np.int8).astype(dtype)
    packed = layouts.pack(w, layout)
    assert packed.dtype == np.uint8 and packed.nbytes == -(-layouts.packed_elements(layout, w.shape) // 2)
    np.testing.assert_array_equal(layouts.unpack(packed, layout, w.shape, dtype=dtype), w)


def test_pad_n32_pads_each_group() -> None:
    packed = layouts.pack(np.arange(6, dtype=np.int32), Layout.PAD_N32, 2)
    assert packed.shape == (2, 32) and packed[1, :4].tolist() == [3, 4, 5, 0]
    np.testing.assert_array_equal(layouts.unpack(packed, Layout.PAD_N32, (6,), 2), np.arange(6))


def test_other_elements_are_refused() -> None:
    with pytest.raises(TealightError, match="gemm_n32k4: float32 elements, must be int8 or int4"):
        layouts.pack(np.zeros((2, 2), np.float32), Layout.GEMM_N32K4)
