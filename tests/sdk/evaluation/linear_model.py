# SPDX-License-Identifier: Apache-2.0
"""A linear classifier and labelled rows for it."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(11)
WEIGHT = RNG.standard_normal((6, 4)).astype(np.float32)


def linear(path, batch=1):
    """Writes y = softmax(x @ W), 4 classes of 6 numbers."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["l"]), helper.make_node("Softmax", ["l"], ["y"], axis=1)]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [batch, d]) for n, d in (("x", 6), ("y", 4))]
    graph = helper.make_graph(nodes, "linear", ports[:1], ports[1:], [numpy_helper.from_array(WEIGHT, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def labelled(count=100, wrong=7):
    """Returns rows and labels; the first `wrong` labels are off by one."""
    x = RNG.standard_normal((count, 6)).astype(np.float32)
    y = (x @ WEIGHT).argmax(1)
    y[:wrong] = (y[:wrong] + 1) % 4
    return x, y
