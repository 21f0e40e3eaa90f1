# SPDX-License-Identifier: Apache-2.0
"""int8 inputs and outputs of a model: the app passes and gets integers, and the bundle says what they stand for."""

from __future__ import annotations

import dataclasses

import numpy as np

from tealight.ir.graph import Graph, Value
from tealight.ir.types import DType, QuantParams, TensorType
from tealight.ir.verify import verify
from tealight.passes._editor import Editor, out
from tealight.quant.integerize._context import parameters, quantized


def quantize_edges(graph: Graph) -> list[tuple[str, str]]:
    """Takes the first quantize and the last dequantize nodes out of a graph.

    Given:
        main(%x: float32): %q = quantize(%x, s, z); … ; %y = dequantize(%r, t, u); return %y
    Result:
        main(%x: int8): … ; return %y: int8
    Returns:
        (name, reason) of inputs and outputs that stay float32.
    """
    editor = Editor(graph)
    notes: list[tuple[str, str]] = []
    for i, value in enumerate(list(graph.inputs)):
        if value.dtype is DType.FLOAT32 and not _input(editor, i, value):
            notes.append((value.name, "input stays float32: not all that reads it is quantized in one way"))
    for i, value in enumerate(list(graph.outputs)):
        if value.dtype is DType.FLOAT32 and not _output(editor, i, value):
            notes.append((value.name, "output stays float32: float nodes compute it"))
    verify(graph)
    return notes


def _input(editor: Editor, index: int, value: Value) -> bool:
    readers = editor.users(value)
    if len(readers) != 1 or readers[0].op != "quantize" or editor.is_output(value):
        return False
    node, found = readers[0], parameters(readers[0])
    if found is None or found[0].size != 1 or editor.is_output(out(node)):
        return False
    params = QuantParams(found[0].reshape(()), found[1].reshape(()).astype(np.int32))
    new = Value(value.name, TensorType(out(node).dtype, value.shape, quantization=params))
    editor.graph.inputs[index] = new
    kept = new.type
    editor.replace(out(node), new)
    new.type = kept
    editor.remove(node)
    return True


def _output(editor: Editor, index: int, value: Value) -> bool:
    q = quantized(value)
    if q is None or q.value.producer is None or editor.users(value) or editor.is_output(q.value):
        return False
    node = value.producer
    assert node is not None
    editor.graph.outputs = [q.value if v is value else v for v in editor.graph.outputs]
    q.value.name, value.name = value.name, q.value.name
    params = QuantParams(np.array(q.scale, np.float32), np.array(q.zero_point, np.int32))
    q.value.type = dataclasses.replace(q.value.type, quantization=params)
    editor.remove(node)
    return True
