# SPDX-License-Identifier: Apache-2.0
"""Imports a .tflite model: calls the converter of each operator and collects what cannot be imported."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence

import numpy as np

from tealight.errors import ImportModelError, TealightError, UnsupportedOpError
from tealight.frontends.problems import Problem, RefusedError, problem_text
from tealight.frontends.tflite import reader, registry
from tealight.frontends.tflite.context import Emitter, OperatorContext
from tealight.frontends.tflite.reader import Model, Operator, Tensor
from tealight.ir.graph import Graph, Value
from tealight.ir.types import DType, TensorType

#: Elements of a tensor that keeps its value; more is a damaged shape.
_MAX_VARIABLE = 1 << 24


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
        problems: What cannot be imported.
        invalid: Operators that make no sense.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.graph = Graph("main")
        self.emitter = Emitter(self.graph)
        self.problems: list[Problem] = []
        self.invalid: list[TealightError] = []
        self._values: dict[int, Value] = {}
        self._lacking: set[int] = set()

    def run(self, shapes: dict[str, Sequence[int | str]], notes: list[str]) -> Graph:
        """Returns the graph, or raises what load() says."""
        self._reserve_names()
        self._add_inputs(shapes)
        with np.errstate(all="ignore"):
            for operator in self.model.operators:
                self._convert(operator)
        self._raise_problems()
        self._add_outputs()
        notes.extend(
            f"tensor '{t.name}' keeps its value between runs: it starts at 0 in each" for t in self._variables()
        )
        return self.graph

    def _variables(self) -> list[Tensor]:
        return [t for t in self.model.tensors if t.is_variable]

    def _reserve_names(self) -> None:
        for i in [*self.model.inputs, *self.model.outputs]:
            self.graph.unique_name(self._name(i))

    def _name(self, index: int) -> str:
        return self.model.tensors[index].name or f"tensor_{index}"

    def _add_inputs(self, shapes: dict[str, Sequence[int | str]]) -> None:
        names = [self._name(i) for i in self.model.inputs]
        for unknown in sorted(set(shapes) - set(names)):
            raise ImportModelError(f"shapes['{unknown}']: no input of that name, expected one of {names}")
        if len(set(names)) != len(names):
            raise ImportModelError(f"'{self.model.name}' inputs: {names}, expected different names; it is damaged")
        for i, name in zip(self.model.inputs, names, strict=True):
            tensor = self.model.tensors[i]
            shape = shapes.get(name, tensor.shape)
            if len(shape) != len(tensor.shape):
                raise ImportModelError(f"shapes['{name}']: {list(shape)}, expected {len(tensor.shape)} dims")
            dtype = tensor.dtype
            if dtype is None or dtype in (DType.INT4, DType.UINT4):
                self.problems.append(Problem(name, "graph input", f"element type {tensor.type_name}, expected numbers"))
                dtype = DType.FLOAT32
            dims = tuple(d if isinstance(d, str) else int(d) for d in shape)
            value = Value(name, TensorType(dtype, dims, quantization=tensor.quantization))
            self.graph.inputs.append(value)
            self._values[i] = value

    def _convert(self, operator: Operator) -> None:
        """Converts one operator, or records why it cannot be."""
        converter = registry.find(operator.op)
        lacking = [i for i in operator.inputs if i in self._lacking]
        try:
            if converter is None:
                raise RefusedError("no import for this operator", "rewrite this part of the model")
            if lacking:
                self._lacking.update(operator.outputs)
                return
            values = {i: self._value(i) for i in operator.inputs if i >= 0}
            context = OperatorContext(self.emitter, operator, self.model.tensors, values)
            made = converter(context)
            results = [made] if isinstance(made, Value) else list(made)
            for i, value in zip(operator.outputs, results, strict=True):
                self._values[i] = self._stored(context, value, self.model.tensors[i])
            return
        except RefusedError as e:
            self.problems.append(Problem(operator.name, operator.op, e.why, e.fix))
        except TealightError as e:
            self.invalid.append(TealightError(str(e), node=operator.name, op=operator.op))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, AssertionError, MemoryError) as e:
            found = f"options or operands that make no sense ({type(e).__name__}: {e})"
            text = f"{operator.op}: {found}, expected valid ones"
            self.invalid.append(TealightError(text, node=operator.name, op=operator.op))
        self._lacking.update(operator.outputs)

    def _value(self, index: int) -> Value:
        """Returns the value of a tensor; constants and variables are made when first used."""
        if index not in self._values:
            self._values[index] = self._constant(index, self.model.tensors[index])
        return self._values[index]

    def _constant(self, index: int, tensor: Tensor) -> Value:
        if tensor.dtype is None:
            raise RefusedError(f"tensor '{tensor.name}' of {tensor.type_name}, expected float or integer elements")
        if tensor.is_sparse:
            raise RefusedError(
                f"tensor '{tensor.name}' is stored sparsely, expected dense", "export it without sparsity"
            )
        data = tensor.data
        if data is None and tensor.is_variable and math.prod(tensor.shape) <= _MAX_VARIABLE:
            data = np.full(tensor.shape, _zero_of(tensor), tensor.dtype.numpy)
        if data is None and 0 in tensor.shape:
            data = np.zeros(tensor.shape, tensor.dtype.numpy)
        if data is None:
            raise ImportModelError(
                f"tensor '{tensor.name}': computed by no earlier operator, expected one; it is damaged"
            )
        return self.graph.constant(data, self._name(index))

    def _stored(self, context: OperatorContext, value: Value, tensor: Tensor) -> Value:
        """Returns a result as the file stores it: quantized where a float came for a quantized tensor."""
        if tensor.quantization is not None and value.dtype is DType.FLOAT32 and tensor.dtype is not None:
            value = self.emitter.quantize(context.name, value, tensor.quantization, tensor.dtype)
        if value.producer is not None and tensor.quantization is not None:
            value.type = dataclasses.replace(value.type, quantization=tensor.quantization)
        if tensor.dtype is not None and value.dtype is not tensor.dtype:
            value = context.cast(value, tensor.dtype)
        return value

    def _raise_problems(self) -> None:
        if self.problems:
            first = self.problems[0]
            raise UnsupportedOpError(problem_text(self.model.name, self.problems), node=first.node, op=first.op)
        if self.invalid:
            wrong = self.invalid[0]
            more = f" (and {len(self.invalid) - 1} more operators)" if len(self.invalid) > 1 else ""
            raise ImportModelError(
                f"'{self.model.name}' operator '{wrong.node}': {wrong}{more}", node=wrong.node, op=wrong.op
            ) from wrong

    def _add_outputs(self) -> None:
        for i in self.model.outputs:
            try:
                value = self._value(i)
            except RefusedError as e:
                raise ImportModelError(f"output '{self._name(i)}': {e.why}") from e
            name = self._name(i)
            taken = any(value is v for v in [*self.graph.outputs, *self.graph.inputs])
            if value.const is not None:
                value = Value(name, TensorType(value.dtype, value.shape, value.const))
            elif taken:
                value = self.graph.add("unary", [value], {"kind": "identity"}, name=name)[0]
            if any(v.name == name for v in [*self.graph.outputs, *self.graph.inputs]):
                name = self.graph.unique_name(name)
            value.name = name
            self.graph.outputs.append(value)


def _zero_of(tensor: Tensor) -> int:
    """Returns the integer that stands for 0."""
    return 0 if tensor.quantization is None else int(np.asarray(tensor.quantization.zero_point).reshape(-1)[0])
