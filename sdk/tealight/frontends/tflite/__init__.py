# SPDX-License-Identifier: Apache-2.0
"""The TFLite frontend: .tflite models, float or quantized, to ir.Graph.

    from tealight.frontends import tflite
    graph = tflite.load("model.tflite")

schema.py holds the file format as data, flatbuffer.py and reader.py read files, importer.py walks the graph, and each
family file holds one converter per operator.
"""

from tealight.frontends.tflite import (
    control_flow,
    detection,
    indexing,
    layers,
    movement,
    pointwise,
    recurrent,
    reduction,
    signal,
)
from tealight.frontends.tflite.importer import load
from tealight.frontends.tflite.registry import supported

#: The converters register themselves when their files are imported.
FAMILIES = (control_flow, detection, indexing, layers, movement, pointwise, recurrent, reduction, signal)

__all__ = ["FAMILIES", "load", "supported"]
