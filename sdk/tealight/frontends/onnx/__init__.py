# SPDX-License-Identifier: Apache-2.0
"""The ONNX frontend: ONNX models of any opset to ir.Graph.

    from tealight.frontends import onnx
    graph = onnx.load("model.onnx", shapes={"input": [1, 3, 224, 224]})

reader.py reads files, importer.py walks the graph, and each family file holds one converter per foreign op.
"""

from tealight.frontends.onnx import (
    attention,
    contrib,
    control_flow,
    einsum,
    experimental,
    image,
    indexing,
    math,
    nn,
    norm,
    quantized,
    recurrent,
    refused,
    sequence,
    shape,
    signal,
)
from tealight.frontends.onnx.importer import load
from tealight.frontends.onnx.registry import supported

#: The converters register themselves when their files are imported.
FAMILIES = (
    attention, contrib, control_flow, einsum, experimental, image, indexing, math, nn, norm, quantized, recurrent,
    refused, sequence, shape, signal,
)  # fmt: skip

__all__ = ["FAMILIES", "load", "supported"]
