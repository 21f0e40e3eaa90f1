# SPDX-License-Identifier: Apache-2.0
"""NodeContext: what a converter sees of its node, and the means to emit IR.

Values inside the graph are never float16, bfloat16 or float64: they are computed in float32 (importer.py casts at
the edges).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import GraphProto, TensorProto, helper

from tealight.frontends import folding
from tealight.frontends.problems import RefusedError as RefusedError
from tealight.ir.graph import Graph, Value
from tealight.ir.types import Dim, DType, TensorType
from tealight.ops._dequantized import DequantizedConstant
from tealight.ops._window import derived_dim

if TYPE_CHECKING:
    from tealight.frontends.onnx.importer import Scope


class AlreadyReportedError(Exception):
    """A node whose body holds problems that are recorded already."""


class TakeFunctionBodyError(Exception):
    """A form that the converter leaves to the function body of the standard; nothing was emitted that matters."""


@dataclasses.dataclass(frozen=True)
class DimOf:
    """A dim of a value that is not known while importing, times a number and divided by another: an item of a shape."""

    value: Value
    axis: int
    times: int = 1
    over: int = 1

    @property
    def symbol(self) -> Dim:
        """The name of the dim."""
        dim = self.value.shape[self.axis]
        return dim if self.times == self.over == 1 else derived_dim("scaled", dim, self.times, self.over)


@dataclasses.dataclass(frozen=True)
class SequenceValue:
    """A sequence of tensors; its length is known."""

    items: tuple[Value, ...]


#: An item of a target shape: a size, or the size of some value's axis.
ShapeItem = int | DimOf

COMPUTED_IN_FLOAT32 = (DType.FLOAT16, DType.BFLOAT16, DType.FLOAT64)


def internal_dtype(dtype: DType) -> DType:
    """Returns the dtype that values of a foreign dtype have inside the graph."""
    return DType.FLOAT32 if dtype in COMPUTED_IN_FLOAT32 else dtype


def dtype_of(elem_type: int) -> DType:
    """Returns the DType of an ONNX element type; RefusedError when there is none."""
    try:
        dtype = DType.of(helper.tensor_dtype_to_np_dtype(elem_type))
    except (KeyError, TypeError, ValueError):
        dtype = None
    if dtype is None or dtype in (DType.INT4, DType.UINT4):
        name = {v: k.lower() for k, v in TensorProto.DataType.items()}.get(elem_type, str(elem_type))
        raise RefusedError(f"element type {name}, expected a float, bool, or integer type of whole bytes")
    return dtype


class NodeContext:
    """One node being converted.

    Attributes:
        scope: Names visible to the node.
        op: Its foreign op.
        name: Its name, made up where the model has none.
        opset: Opset version of its domain.
        inputs: Operands; None where absent.
        wanted: Whether each result has a name.
    """

    def __init__(
        self,
        scope: Scope,
        op: str,
        name: str,
        opset: int,
        inputs: Sequence[Value | SequenceValue | None],
        attrs: dict[str, Any],
        wanted: Sequence[bool],
    ) -> None:
        self.scope = scope
        self.op = op
        self.name = name
        self.opset = opset
        self.inputs = list(inputs)
        self.attrs = attrs
        self.wanted = list(wanted)

    # ---- the node ----

    @property
    def graph(self) -> Graph:
        """The IR graph being built."""
        return self.scope.graph

    def input(self, i: int) -> Value:
        """Returns operand i; RefusedError when it is absent."""
        value = self.optional(i)
        if value is None:
            raise RefusedError(f"input {i} is missing, expected a tensor")
        return value

    def optional(self, i: int) -> Value | None:
        """Returns operand i, or None when it is absent."""
        value = self.inputs[i] if i < len(self.inputs) else None
        if isinstance(value, SequenceValue):
            raise RefusedError(f"input {i} is a sequence, expected a tensor")
        return value

    def wants(self, i: int) -> bool:
        """Whether result i has a name."""
        return i < len(self.wanted) and self.wanted[i]

    def has(self, name: str) -> bool:
        """Whether the attribute is given."""
        return name in self.attrs

    def integer(self, name: str, default: int | None = None) -> int:
        """Returns an integer attribute."""
        return int(self._attr(name, default))

    def number(self, name: str, default: float | None = None) -> float:
        """Returns a float attribute."""
        return float(self._attr(name, default))

    def text(self, name: str, default: str | None = None) -> str:
        """Returns a string attribute."""
        return str(self._attr(name, default))

    def integers(self, name: str, default: Sequence[int] | None = None) -> list[int]:
        """Returns a list of integers attribute."""
        return [int(v) for v in self._attr(name, default)]

    def subgraph(self, name: str) -> GraphProto:
        """Returns a graph attribute."""
        value = self._attr(name, None)
        if not isinstance(value, GraphProto):
            raise RefusedError(f"attribute '{name}' is no graph, expected a graph")
        return value

    def _attr(self, name: str, default: Any) -> Any:
        value = self.attrs.get(name, default)
        if value is None:
            raise RefusedError(f"attribute '{name}' is missing, expected a value")
        return value

    def array(self, i: int, what: str) -> np.ndarray:
        """Returns the elements of operand i, which must be known at build time."""
        found = self.known_array(self.input(i))
        if found is None:
            raise RefusedError(
                f"{what} (input '{self.input(i).name}') is computed at run time, expected a constant",
                "give it as an initializer, or simplify the model with fixed shapes",
            )
        return found

    def known_array(self, value: Value | None) -> np.ndarray | None:
        """Returns the elements of a value where they can be known at build time."""
        if value is None:
            return None
        return self.scope.evaluate(value)

    def known_ints(self, i: int, what: str) -> list[int]:
        """Returns operand i as a list of ints; RefusedError when it is not a constant."""
        return [int(v) for v in self.array(i, what).reshape(-1)]

    # ---- emitting ----

    def constant(self, data: Any, dtype: Any = None, name: str = "") -> Value:
        """Returns a constant value."""
        array = np.ascontiguousarray(np.asarray(data, dtype)).reshape(np.shape(data))
        return self.graph.constant(array, name or f"{self.name}.const")

    def int64s(self, data: Sequence[int]) -> Value:
        """Returns a constant int64 vector."""
        return self.constant(np.array(list(data), np.int64))

    def emit(
        self,
        op: str,
        inputs: Sequence[Value | None],
        attrs: dict[str, Any] | None = None,
        *,
        outputs: int = 1,
        subgraphs: dict[str, Graph] | None = None,
    ) -> list[Value]:
        """Adds a node, or folds it where its operands are constants; returns its results."""
        attrs = attrs or {}
        folded = folding.fold(op, inputs, attrs)
        if folded is not None:
            return [self.constant(a) for a in folded[:outputs]]
        moved = folding.rearranged(op, inputs, attrs)
        if moved is not None:
            return [self.dequantized(moved)]
        known = self.scope.knowledge.propagate(op, inputs, attrs)
        values = self.graph.add(op, inputs, attrs, name=self.name, outputs=outputs, subgraphs=subgraphs)
        array = None if known is None else self.scope.knowledge.learn(values[0], known)
        if array is not None:
            self.graph.nodes.pop()
            return [self.constant(array)]
        return values

    def dequantized(self, held: DequantizedConstant, name: str = "") -> Value:
        """Returns a constant that is kept as integers."""
        name = name or f"{self.name}.const"
        zero_point = None if held.zero_point is None else self.constant(held.zero_point, name=f"{name}.zero_point")
        operands = [
            self.constant(held.integers, name=name),
            self.constant(held.scale, name=f"{name}.scale"),
            zero_point,
        ]
        operands = operands if zero_point is not None else operands[:2]
        return self.scope.graph.add("dequantize", operands, held.attrs, name=name)[0]

    def rearranged(self, value: Value, change: Callable[[np.ndarray], np.ndarray], name: str) -> Value:
        """Returns change(value) of a weight: a constant, kept as integers where it is so."""
        held = DequantizedConstant.of(value)
        moved = None if held is None else held.rearranged(change)
        if moved is not None:
            return self.dequantized(moved, f"{self.name}.{name}")
        array = self.known_array(value)
        assert array is not None
        return self.constant(np.ascontiguousarray(change(array)), name=f"{self.name}.{name}")

    def is_weight(self, value: Value) -> bool:
        """Whether a value is a float constant, perhaps kept as integers."""
        return value.dtype is DType.FLOAT32 and (value.is_const or DequantizedConstant.of(value) is not None)

    def add(self, op: str, inputs: Sequence[Value | None], attrs: dict[str, Any] | None = None) -> Value:
        """Adds a node with one result."""
        return self.emit(op, inputs, attrs)[0]

    def unary(self, kind: str, x: Value, alpha: float = 0.0, beta: float = 0.0) -> Value:
        """Adds y = f(x)."""
        return self.add("unary", [x], {"kind": kind, "alpha": alpha, "beta": beta})

    def binary(self, kind: str, a: Value, b: Value) -> Value:
        """Adds y = f(a, b)."""
        return self.add("binary", [a, b], {"kind": kind})

    def scalar(self, data: float, like: Value) -> Value:
        """Returns a constant scalar of the dtype of another value."""
        return self.constant(np.array(data, like.dtype.numpy))

    def cast(self, x: Value, dtype: DType) -> Value:
        """Returns x as another dtype."""
        return x if x.dtype == dtype else self.add("cast", [x], {"to": dtype.value})

    def transpose(self, x: Value, perm: Sequence[int]) -> Value:
        """Returns x with its axes permuted."""
        return x if list(perm) == list(range(len(perm))) else self.add("transpose", [x], {"perm": list(perm)})

    def reduce(self, kind: str, x: Value, axes: Sequence[int] | None, keepdims: bool = True) -> Value:
        """Returns x reduced over axes (None = all)."""
        operands = [x] if axes is None else [x, self.int64s(axes)]
        return self.add("reduce", operands, {"kind": kind, "keepdims": keepdims})

    def slice(self, x: Value, axis: int, start: int, end: int, step: int = 1) -> Value:
        """Returns x[..., start:end:step, ...] along one axis."""
        return self.add("slice", [x, *(self.int64s([v]) for v in (start, end, axis, step))])

    def gather(self, x: Value, index: int, axis: int) -> Value:
        """Returns x at one index of an axis, which goes away."""
        return self.add("gather", [x, self.constant(np.array(index, np.int64))], {"axis": axis})

    def concat(self, values: Sequence[Value], axis: int) -> Value:
        """Returns values joined along an axis."""
        return values[0] if len(values) == 1 else self.add("concat", list(values), {"axis": axis})

    # ---- shapes ----

    def dim(self, x: Value, axis: int) -> ShapeItem:
        """Returns the size of an axis: a number where it is known."""
        axis %= len(x.shape)
        size = x.shape[axis]
        return size if isinstance(size, int) else DimOf(x, axis)

    def scaled(self, x: Value, axis: int, *, times: int = 1, over: int = 1) -> ShapeItem:
        """Returns the size of an axis times a number, divided by another and rounded down."""
        size = self.dim(x, axis)
        return size * times // over if isinstance(size, int) else DimOf(x, axis, times, over)

    def dims(self, x: Value) -> list[ShapeItem]:
        """Returns the sizes of all axes."""
        return [self.dim(x, i) for i in range(len(x.shape))]

    def static(self, x: Value, axis: int, what: str) -> int:
        """Returns the size of an axis; RefusedError when it is not known."""
        size = x.shape[axis]
        if not isinstance(size, int):
            raise RefusedError(
                f"{what} is dynamic (dim {axis % len(x.shape)} of {x.name}: '{size}'), expected a fixed size",
                "fix the input shapes with shapes={input: [..]}",
            )
        return size

    def shape_vector(self, items: Sequence[ShapeItem]) -> Value:
        """Returns an int64 vector of sizes, computed at run time where needed."""
        parts: list[Value] = []
        run: list[int] = []
        for item in items:
            if isinstance(item, int):
                run.append(item)
                continue
            if run:
                parts.append(self.int64s(run))
                run = []
            size = self.add("shape", [item.value], {"start": item.axis, "end": item.axis + 1})
            for kind, factor in (("mul", item.times), ("div", item.over)):
                size = size if factor == 1 else self.binary(kind, size, self.int64s([factor]))
            parts.append(size)
        if run or not parts:
            parts.append(self.int64s(run))
        return self.concat(parts, 0)

    def reshape(self, x: Value, items: Sequence[ShapeItem]) -> Value:
        """Returns x in another shape; needs a run-time shape only when two sizes are dynamic and moved."""
        if list(x.shape) == [i if isinstance(i, int) else i.symbol for i in items]:
            return x
        plain: list[int | None] = []
        for i, item in enumerate(items):
            if isinstance(item, int):
                plain.append(item)
            elif i < len(x.shape) and x.shape[i] == item.symbol:
                plain.append(0)
            else:
                plain.append(None)
        zero = any(isinstance(i, int) and i == 0 for i in items)
        if plain.count(None) + plain.count(-1) <= 1 and not (zero and any(not isinstance(i, int) for i in items)):
            shape = self.int64s([-1 if p is None else p for p in plain])
            y = self.add("reshape", [x, shape], {"allow_zero": zero})
        else:
            y = self.add("reshape", [x, self.shape_vector(items)], {"allow_zero": zero})
        return refine(
            y, [i if isinstance(i, int) and i >= 0 else i.symbol if isinstance(i, DimOf) else None for i in items]
        )

    def unsqueeze(self, x: Value, axes: Sequence[int]) -> Value:
        """Returns x with dims of 1 inserted so that they are `axes` of the result."""
        rank = len(x.shape) + len(axes)
        at = {a % rank for a in axes if -rank <= a < rank}
        if len(at) != len(axes):
            raise RefusedError(f"axes {list(axes)}, expected different ones in [{-rank}, {rank})")
        rest = iter(self.dims(x))
        return self.reshape(x, [1 if i in at else next(rest) for i in range(rank)])

    def squeeze(self, x: Value, axes: Sequence[int]) -> Value:
        """Returns x without dims `axes`, which are 1."""
        rank = len(x.shape)
        at = {a % rank for a in axes if -rank <= a < rank}
        if len(at) != len(axes):
            raise RefusedError(f"axes {list(axes)}, expected different ones in [{-rank}, {rank})")
        return self.reshape(x, [d for i, d in enumerate(self.dims(x)) if i not in at])

    # ---- channels-last ----

    def to_last(self, x: Value) -> Value:
        """Returns [n, c, ...] as [n, ..., c]."""
        rank = len(x.shape)
        return self.transpose(x, [0, *range(2, rank), 1])

    def to_first(self, x: Value) -> Value:
        """Returns [n, ..., c] as [n, c, ...]."""
        rank = len(x.shape)
        return self.transpose(x, [0, rank - 1, *range(1, rank - 1)])

    def to_image(self, x: Value) -> Value:
        """Returns [n, c, h, w] as [n, h, w, c] and [n, c, l] as [n, 1, l, c]; RefusedError for other ranks."""
        rank = len(x.shape)
        if rank == 3:
            n, c, length = self.dims(x)
            x = self.reshape(x, [n, c, 1, length])
        elif rank != 4:
            raise RefusedError(
                f"input of rank {rank} ({max(rank - 2, 0)} spatial dims), expected 1 or 2 spatial dims",
                "volumetric (3-d) layers have no kernels",
            )
        return self.to_last(x)

    def from_image(self, y: Value, rank: int) -> Value:
        """Undoes to_image for a result."""
        y = self.to_first(y)
        if rank == 3:
            n, c, _, length = self.dims(y)
            y = self.reshape(y, [n, c, length])
        return y


def refine(value: Value, dims: Sequence[Dim | None]) -> Value:
    """Names dims that inference could not, from what the importer knows."""
    shape = value.shape
    if value.producer is None or len(dims) != len(shape):
        return value
    better = tuple(
        k if k is not None and isinstance(s, str) and (isinstance(k, int) or s.startswith("?")) else s
        for s, k in zip(shape, dims, strict=True)
    )
    if better != shape:
        value.type = TensorType(value.dtype, better, value.type.const)
    return value
