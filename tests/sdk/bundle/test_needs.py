# SPDX-License-Identifier: Apache-2.0
"""What a bundle needs of a runtime."""

from __future__ import annotations

import numpy as np
import onnx
from sdk.small_graphs import small_bundle

import tealight
from tealight.bundle import needs
from tealight.bundle.reader import read_bundle
from tealight.ir.types import DType, Layout


def test_ops():
    assert needs.ops(read_bundle(small_bundle())) == {"transpose", "reshape"}


def test_depthwise_windows(tmp_path):
    for size, expected in ((3, set()), (5, {"depthwise_5x5"})):
        path = tmp_path / f"{size}.tea"
        tealight.build(depthwise(size), str(path))
        assert needs.features(read_bundle(path)) == expected


def depthwise(size: int) -> onnx.ModelProto:
    weight = onnx.numpy_helper.from_array(np.ones((16, 1, size, size), np.float32), "w")
    x, y = (onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, (1, 16, 8, 8)) for n in "xy")
    node = onnx.helper.make_node("Conv", ["x", "w"], ["y"], group=16, pads=[size // 2] * 4)
    return onnx.helper.make_model(onnx.helper.make_graph([node], "depthwise", [x], [y], [weight]))


def test_features():
    bundle = read_bundle(small_bundle())
    assert needs.features(bundle) == set()
    program = bundle.programs[0]
    program.instructions[0].attrs["winograd"] = 4
    assert needs.features(bundle) == {"winograd"}
    tensor = program.tensors[0]
    tensor.layout, tensor.dtype = Layout.GEMM_N16, DType.of(np.float16)
    assert needs.features(bundle) == {"winograd", "stored_weights"}
