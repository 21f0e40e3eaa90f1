# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from sdk.small_graphs import FLOAT

from tealight.errors import TealightError
from tealight.ir.graph import Graph
from tealight.ir.types import Layout, TensorType
from tealight.lower.emit import emit
from tealight.lower.pack_weights import ConstantPool


def _depthwise(constant: bool) -> Graph:
    g = Graph("main")
    x = g.add_input("x", TensorType(FLOAT, (1, 5, 5, 3)))
    w = np.ones((3, 3, 3), np.float32)
    weight = g.constant(w, "w") if constant else g.add_input("w", TensorType(FLOAT, w.shape))
    attrs = {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1, 1, 1, 1], "dilations": [1, 1]}
    g.outputs = g.add("depthwise_conv2d", [x, weight], attrs, name="dw", outputs=["y"])
    return g


def test_weights_are_packed():
    tensors = {t.name: t for t in emit(_depthwise(True)).bundle.programs[0].tensors}
    assert tensors["w"].layout is Layout.DWCONV_C16 and tensors["w"].shape == (3, 3, 3)


def test_computed_weights_are_refused():
    with pytest.raises(TealightError, match="depthwise_conv2d 'dw' weight: computed at run time"):
        emit(_depthwise(False))


def test_weights_without_outputs_are_refused():
    g = Graph("main")
    g.outputs = g.add(
        "fully_connected",
        [g.add_input("x", TensorType(FLOAT, (1, 3))), g.constant(np.ones((0, 3), np.float32), "w")],
        name="fc", outputs=["y"],
    )  # fmt: skip
    with pytest.raises(TealightError, match=r"'fc' weight: shape \[0, 3\], expected at least one output"):
        emit(g)


def test_pool_stores_equal_bytes_once():
    pool = ConstantPool()
    a = pool.add(np.arange(4, dtype=np.float32))
    b = pool.add(np.arange(4, dtype=np.float32).view(np.int32))
    c = pool.add(np.arange(5, dtype=np.float32))
    assert a == b != c and len(pool.blobs) == 2
