# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from tealight.bundle import layouts
from tealight.errors import TealightError
from tealight.ir.types import Layout

CASES = [
    (Layout.PLAIN, (3, 5), 1, {}),
    (Layout.PAD_N16, (17,), 1, {}),
    (Layout.PAD_N16, (6,), 3, {}),
    (Layout.GEMM_N16, (1, 1), 1, {}),
    (Layout.GEMM_N16, (16, 7), 1, {}),
    (Layout.GEMM_N16, (34, 3, 2, 5), 2, {}),
    (Layout.DWCONV_C16, (19, 3, 3), 1, {}),
    (Layout.CONV_TRANSPOSE_N16, (5, 3, 4, 7), 1, {"strides": [2, 3], "dilations": [1, 1]}),
    (Layout.CONV_TRANSPOSE_N16, (6, 2, 2, 3), 2, {"strides": [3, 1], "dilations": [1, 2]}),
]


@pytest.mark.parametrize(("layout", "shape", "groups", "attrs"), CASES)
def test_pack_unpack_round_trip(layout, shape, groups, attrs):
    array = np.arange(1, 1 + np.prod(shape), dtype=np.float32).reshape(shape)
    packed = layouts.pack(array, layout, groups, attrs)
    assert packed.flags.c_contiguous
    assert packed.size == layouts.packed_elements(layout, shape, groups)
    assert np.sum(packed) == np.sum(array), "padding is zero and every element is there once"
    np.testing.assert_array_equal(layouts.unpack(packed.reshape(-1), layout, shape, groups, attrs), array)


def test_gemm_order_is_block_k_lane():
    array = np.arange(20 * 3, dtype=np.float32).reshape(20, 3)
    packed = layouts.pack(array, Layout.GEMM_N16).reshape(2, 3, 16)
    assert packed[1, 2, 3] == array[19, 2] and packed[1, 0, 4] == 0


def test_depthwise_order_is_block_tap_lane():
    array = np.arange(20 * 6, dtype=np.float32).reshape(20, 2, 3)
    packed = layouts.pack(array, Layout.DWCONV_C16).reshape(2, 6, 16)
    assert packed[1, 4, 2] == array[18, 1, 1]


def test_groups_must_divide():
    with pytest.raises(TealightError, match="must divide into 3 groups"):
        layouts.pack(np.zeros((4, 2), np.float32), Layout.GEMM_N16, 3)
