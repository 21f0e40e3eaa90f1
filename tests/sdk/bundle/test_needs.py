# SPDX-License-Identifier: Apache-2.0
"""What a bundle needs of a runtime."""

from __future__ import annotations

import numpy as np
from sdk.small_graphs import small_bundle

from tealight.bundle import needs
from tealight.bundle.reader import read_bundle
from tealight.ir.types import DType, Layout


def test_ops():
    assert needs.ops(read_bundle(small_bundle())) == {"transpose", "reshape"}


def test_features():
    bundle = read_bundle(small_bundle())
    assert needs.features(bundle) == set()
    program = bundle.programs[0]
    program.instructions[0].attrs["winograd"] = 4
    assert needs.features(bundle) == {"winograd"}
    tensor = program.tensors[0]
    tensor.layout, tensor.dtype = Layout.GEMM_N16, DType.of(np.float16)
    assert needs.features(bundle) == {"winograd", "stored_weights"}
