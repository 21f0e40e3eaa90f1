# SPDX-License-Identifier: Apache-2.0
"""Imports a .tflite model: calls the converter of each operator and collects what cannot be imported."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from tealight.errors import ImportModelError, UnsupportedOpError
from tealight.frontends.problems import Problem, RefusedError, problem_text
from tealight.frontends.tflite import reader
from tealight.frontends.tflite.context import Emitter
from tealight.frontends.tflite.reader import Model
from tealight.frontends.tflite.scope import Scope, Shared
from tealight.ir.graph import Graph, Value
from tealight.ir.types import DType, TensorType


def load(
    model: str | os.PathLike[str],
    *,
    shapes: Mapping[str, Sequence[int | str]] | None = None,
    notes: list[str] | None = None,
) -> Graph:
    """Imports a .tflite model; quantized operators become float ones between quantize and dequantize nodes.

    Example:
        graph = load("model.tflite", shapes={"input": [4, 224, 224, 3]})

    Args:
        model: Path of a .tflite file.
        shapes: Shapes of inputs by name, where they shall differ from the file's.
        notes: Gets a line for each thing that differs from what the model says.

    Returns:
        The graph of the file's first subgraph. Names of inputs and outputs are those of its tensors.

    Raises:
        UnsupportedOpError: The model holds operators or forms without import; the message lists all of them.
        ImportModelError: The file cannot be read, or `shapes` does not fit it.
    """
    return Importer(reader.read_model(model)).run(dict(shapes or {}), notes if notes is not None else [])


class Importer:
    """State of one import.

    Attributes:
        model: What was read.
        graph: What it becomes.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.graph = Graph("main")
        self._shared = Shared(model)
        self._scope = Scope(self._shared, 0, Emitter(self.graph))

    def run(self, shapes: dict[str, Sequence[int | str]], notes: list[str]) -> Graph:
        """Returns the graph, or raises what load() says."""
        source = self._scope.source
        for i in [*source.inputs, *source.outputs]:
            self.graph.unique_name(self._scope.name(i))
        self._add_inputs(shapes)
        with np.errstate(all="ignore"):
            self._scope.convert_all()
        self._raise_problems()
        self._add_outputs()
        keeping = [t.name for t in source.tensors if t.is_variable]
        notes.extend(f"tensor '{name}' keeps its value between runs: it starts at 0 in each" for name in keeping)
        notes.extend(dict.fromkeys(self._shared.notes))
        return self.graph

    def _add_inputs(self, shapes: dict[str, Sequence[int | str]]) -> None:
        source = self._scope.source
        names = [self._scope.name(i) for i in source.inputs]
        for unknown in sorted(set(shapes) - set(names)):
            raise ImportModelError(f"shapes['{unknown}']: no input of that name, expected one of {names}")
        if len(set(names)) != len(names):
            raise ImportModelError(f"'{self.model.name}' inputs: {names}, expected different names; it is damaged")
        for i, name in zip(source.inputs, names, strict=True):
            tensor = source.tensors[i]
            shape = shapes.get(name, tensor.shape)
            if len(shape) != len(tensor.shape):
                raise ImportModelError(f"shapes['{name}']: {list(shape)}, expected {len(tensor.shape)} dims")
            dtype = tensor.dtype
            if dtype is None or dtype in (DType.INT4, DType.UINT4):
                self._shared.problems.append(
                    Problem(name, "graph input", f"element type {tensor.type_name}, expected numbers")
                )
                dtype = DType.FLOAT32
            dims = tuple(d if isinstance(d, str) else int(d) for d in shape)
            value = Value(name, TensorType(dtype, dims, quantization=tensor.quantization))
            self.graph.inputs.append(value)
            self._scope.values[i] = value

    def _raise_problems(self) -> None:
        problems, invalid = self._shared.problems, self._shared.invalid
        if problems:
            first = problems[0]
            raise UnsupportedOpError(problem_text(self.model.name, problems), node=first.node, op=first.op)
        if invalid:
            wrong = invalid[0]
            more = f" (and {len(invalid) - 1} more operators)" if len(invalid) > 1 else ""
            raise ImportModelError(
                f"'{self.model.name}' operator '{wrong.node}': {wrong}{more}", node=wrong.node, op=wrong.op
            ) from wrong

    def _add_outputs(self) -> None:
        for i in self._scope.source.outputs:
            name = self._scope.name(i)
            try:
                value = self._scope.value(i)
            except RefusedError as e:
                raise ImportModelError(f"output '{name}': {e.why}") from e
            taken = any(value is v for v in [*self.graph.outputs, *self.graph.inputs])
            if value.const is not None:
                value = Value(name, TensorType(value.dtype, value.shape, value.const))
            elif taken:
                value = self.graph.add("unary", [value], {"kind": "identity"}, name=name)[0]
            if any(v.name == name for v in [*self.graph.outputs, *self.graph.inputs]):
                name = self.graph.unique_name(name)
            value.name = name
            self.graph.outputs.append(value)
