# SPDX-License-Identifier: Apache-2.0
"""Scope: one graph of the file on its way to IR, and what all graphs of an import share."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from tealight.errors import ImportModelError, TealightError
from tealight.frontends.problems import Problem, RefusedError
from tealight.frontends.tflite import registry
from tealight.frontends.tflite.context import Emitter, OperatorContext
from tealight.frontends.tflite.reader import Model, Operator, Subgraph, Tensor
from tealight.ir.graph import Graph, Value
from tealight.ir.types import DType

#: Elements of a tensor that keeps its value; more is a damaged shape.
_MAX_VARIABLE = 1 << 24
#: Operators that one import may convert, bodies each time that they are; more is damage.
_MOST_OPERATORS = 1 << 15


class AlreadyReportedError(Exception):
    """A body lacks a result; why is among the problems already."""


@dataclasses.dataclass
class Shared:
    """What the scopes of one import share.

    Attributes:
        model: What was read.
        problems: What cannot be imported.
        invalid: Operators that make no sense.
        variables: What resource variables hold at this point of the program.
        notes: Lines for the user.
        active: Indices of the graphs that are being converted, outermost first.
        converted: Operators so far.
    """

    model: Model
    problems: list[Problem] = dataclasses.field(default_factory=list)
    invalid: list[TealightError] = dataclasses.field(default_factory=list)
    variables: dict[str, Value] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)
    active: list[int] = dataclasses.field(default_factory=list)
    converted: int = 0


class Scope:
    """One graph of the file being converted.

    Attributes:
        shared: With the other scopes.
        index: Of the file's graph.
        source: The file's graph.
        emitter: To add nodes with.
        values: Of tensors, by index.
        resources: Names of the variables that tensors refer to, by index.
    """

    def __init__(self, shared: Shared, index: int, emitter: Emitter) -> None:
        if not 0 <= index < len(shared.model.graphs):
            raise RefusedError(f"graph {index}, expected one of {len(shared.model.graphs)}")
        if index in shared.active:
            raise RefusedError(f"graph {index} inside of itself, expected graphs that end")
        self.shared = shared
        self.index = index
        self.source: Subgraph = shared.model.graphs[index]
        self.emitter = emitter
        self.values: dict[int, Value] = {}
        self.resources: dict[int, str] = {}
        self._lacking: set[int] = set()

    @property
    def graph(self) -> Graph:
        """The IR that it becomes."""
        return self.emitter.graph

    def name(self, index: int) -> str:
        """Returns the name of a tensor, or one for it."""
        return self.source.tensors[index].name or f"tensor_{index}"

    def convert_all(self) -> None:
        """Converts all operators."""
        self.shared.active.append(self.index)
        try:
            for operator in self.source.operators:
                self.shared.converted += 1
                if self.shared.converted > _MOST_OPERATORS:
                    raise ImportModelError(f"over {_MOST_OPERATORS} operators in nested graphs, expected fewer")
                self._convert(operator)
        finally:
            self.shared.active.pop()

    def inline(self, index: int, operands: Sequence[Value]) -> list[Value]:
        """Converts another graph of the file into this scope's; returns its results."""
        return Scope(self.shared, index, self.emitter).run(operands)

    def run(self, operands: Sequence[Value]) -> list[Value]:
        """Converts the graph with values for its inputs; returns its results.

        Raises:
            AlreadyReportedError: One of its operators cannot be imported.
        """
        if len(operands) != len(self.source.inputs):
            raise RefusedError(f"{len(operands)} operands for graph {self.index}, expected {len(self.source.inputs)}")
        self.values.update(zip(self.source.inputs, operands, strict=True))
        self.convert_all()
        if self._lacking.intersection(self.source.outputs):
            raise AlreadyReportedError
        return [self.value(i) for i in self.source.outputs]

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
            context = OperatorContext(self, operator)
            made = converter(context)
            results = [made] if isinstance(made, Value) else list(made)
            computed = [i for i in operator.outputs if i not in self.resources]
            for i, value in zip(computed, results, strict=True):
                self.values[i] = self._stored(context, value, self.source.tensors[i])
            return
        except AlreadyReportedError:
            pass
        except RefusedError as e:
            self.shared.problems.append(Problem(operator.name, operator.op, e.why, e.fix))
        except TealightError as e:
            self.shared.invalid.append(TealightError(str(e), node=operator.name, op=operator.op))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, AssertionError, MemoryError) as e:
            found = f"options or operands that make no sense ({type(e).__name__}: {e})"
            text = f"{operator.op}: {found}, expected valid ones"
            self.shared.invalid.append(TealightError(text, node=operator.name, op=operator.op))
        self._lacking.update(operator.outputs)

    def value(self, index: int) -> Value:
        """Returns the value of a tensor; constants and variables are made when first used."""
        if index not in self.values:
            self.values[index] = self._constant(index, self.source.tensors[index])
        return self.values[index]

    def _constant(self, index: int, tensor: Tensor) -> Value:
        if tensor.dtype is None:
            raise RefusedError(f"tensor '{tensor.name}' of {tensor.type_name}, expected float or integer elements")
        data = tensor.data
        if data is None and tensor.is_variable and math.prod(tensor.shape) <= _MAX_VARIABLE:
            data = np.full(tensor.shape, _zero_of(tensor), tensor.dtype.numpy)
        if data is None and 0 in tensor.shape:
            data = np.zeros(tensor.shape, tensor.dtype.numpy)
        if data is None:
            raise ImportModelError(
                f"tensor '{tensor.name}': computed by no earlier operator, expected one; it is damaged"
            )
        return self.graph.constant(data, self.name(index))

    def _stored(self, context: OperatorContext, value: Value, tensor: Tensor) -> Value:
        """Returns a result as the file stores it: quantized where a float came for a quantized tensor."""
        if tensor.quantization is not None and value.dtype is DType.FLOAT32 and tensor.dtype is not None:
            value = self.emitter.quantize(context.name, value, tensor.quantization, tensor.dtype)
        if value.producer is not None and tensor.quantization is not None:
            value.type = dataclasses.replace(value.type, quantization=tensor.quantization)
        if tensor.dtype is not None and value.dtype is not tensor.dtype:
            value = context.cast(value, tensor.dtype)
        return value


def _zero_of(tensor: Tensor) -> int:
    """Returns the integer that stands for 0."""
    return 0 if tensor.quantization is None else int(np.asarray(tensor.quantization.zero_point).reshape(-1)[0])
