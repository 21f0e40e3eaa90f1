# SPDX-License-Identifier: Apache-2.0
"""OperatorContext: what a converter sees of its operator, and the means to emit IR.

A quantized tensor is an integer value in the graph. real() gives what it stands for through a `dequantize` node, and
a float result of a quantized tensor goes through `quantize`: operators are written once, over real numbers. Those that
only move elements take stored() and work on the integers when operand and result stand for the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tealight.frontends import folding
from tealight.frontends.problems import RefusedError
from tealight.frontends.tflite import flatbuffer
from tealight.frontends.tflite.reader import Operator
from tealight.frontends.tflite.schema import ACTIVATIONS, PADDINGS
from tealight.ir.graph import Graph, Value
from tealight.ir.types import DType, QuantParams
from tealight.ops._dequantized import DequantizedConstant
from tealight.ops._window import auto_pads

if TYPE_CHECKING:
    from tealight.frontends.tflite.scope import Scope

_COMPUTED_IN_FLOAT32 = (DType.FLOAT16, DType.BFLOAT16, DType.FLOAT64)


class Emitter:
    """Adds nodes to a graph; folds what depends on constants only.

    Attributes:
        graph: To add to.
        knowledge: What is known of integer values.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.knowledge = folding.Knowledge()
        self._real: dict[Value, Value] = {}

    def emit(
        self, name: str, op: str, inputs: Sequence[Value | None], attrs: dict[str, Any] | None = None, outputs: int = 1
    ) -> list[Value]:
        """Adds a node, or folds it where its operands are constants; returns its results."""
        attrs = attrs or {}
        folded = folding.fold(op, inputs, attrs)
        if folded is not None:
            return [self.graph.constant(a, f"{name}.const") for a in folded[:outputs]]
        known = self.knowledge.propagate(op, inputs, attrs)
        values = self.graph.add(op, inputs, attrs, name=name, outputs=outputs)
        array = None if known is None else self.knowledge.learn(values[0], known)
        if array is not None:
            self.graph.nodes.pop()
            return [self.graph.constant(array, f"{name}.const")]
        return values

    def real(self, name: str, value: Value, params: QuantParams | None) -> Value:
        """Returns the float32 value that a stored one stands for."""
        if params is None:
            is_wide = value.dtype in _COMPUTED_IN_FLOAT32
            return self.emit(name, "cast", [value], {"to": DType.FLOAT32.value})[0] if is_wide else value
        if value not in self._real:
            self._real[value] = self.dequantize(name, value, params)
        return self._real[value]

    def dequantize(self, name: str, value: Value, params: QuantParams) -> Value:
        """Adds (value - zero_point) * scale; a uint8 constant becomes int8, which integer kernels want."""
        if value.const is not None and value.dtype is DType.UINT8:
            value = self.graph.constant((value.const.astype(np.int16) - 128).astype(np.int8), value.name)
            params = dataclasses.replace(params, zero_point=np.asarray(params.zero_point) - 128)
        operands = [value, *self._params(name, params, value.dtype)]
        attrs = {"axis": max(params.axis, 0), "block_size": params.block_size}
        return self.emit(name, "dequantize", operands, attrs)[0]

    def quantize(self, name: str, value: Value, params: QuantParams, dtype: DType) -> Value:
        """Adds saturate(round(value / scale) + zero_point)."""
        operands = [value, *self._params(name, params, dtype)]
        result = self.emit(name, "quantize", operands, {"axis": max(params.axis, 0), "to": dtype.value})[0]
        return result

    def _params(self, name: str, params: QuantParams, dtype: DType) -> list[Value]:
        zero_point = np.asarray(params.zero_point)
        if np.any(zero_point != zero_point.astype(dtype.numpy)):
            raise RefusedError(f"a zero point that is no {dtype.label}, expected one in its range")
        scale = self.graph.constant(np.array(params.scale, np.float32), f"{name}.scale")
        return [scale, self.graph.constant(zero_point.astype(dtype.numpy), f"{name}.zero_point")]


class OperatorContext:
    """One operator being converted.

    Attributes:
        scope: The graph that it is part of.
        emitter: To add nodes with.
        operator: As it was read.
        op: Its name in the file.
        name: For messages, and of the nodes it becomes.
        options: Its options by name.
        operands: Its tensors; None where absent.
        results: The tensors that it makes.
    """

    def __init__(self, scope: Scope, operator: Operator) -> None:
        tensors = scope.source.tensors
        self.scope = scope
        self.emitter = scope.emitter
        self.operator = operator
        self.op = operator.op
        self.name = operator.name
        self.options = operator.options
        self.operands = [None if i < 0 else tensors[i] for i in operator.inputs]
        self.results = [tensors[i] for i in operator.outputs]

    # ---- the operator ----

    def has(self, i: int) -> bool:
        """Whether operand i is given."""
        return i < len(self.operands) and self.operands[i] is not None

    def stored(self, i: int) -> Value:
        """Returns operand i as it is: integers where it is quantized."""
        if not self.has(i):
            raise RefusedError(f"operand {i} is missing, expected a tensor")
        if self.is_complex(i):
            raise RefusedError(f"operand {i} of complex64, expected real numbers")
        return self.scope.value(self.operator.inputs[i])

    def is_complex(self, i: int) -> bool:
        """Whether operand i is complex."""
        tensor = self.operands[i] if i < len(self.operands) else None
        return tensor is not None and tensor.type_name == "complex64"

    def parts(self, i: int) -> Value:
        """Returns operand i, which must be complex: [.., 2], real and imaginary parts."""
        if not self.is_complex(i):
            raise RefusedError(f"operand {i} of real numbers, expected complex64")
        return self.scope.value(self.operator.inputs[i])

    def real(self, i: int) -> Value:
        """Returns what operand i stands for: float32, or plain integers."""
        return self.emitter.real(self.name, self.stored(i), self.params(i))

    def floats(self, i: int) -> Value:
        """Returns what operand i stands for; RefusedError when that is no float."""
        value = self.real(i)
        if value.dtype is not DType.FLOAT32:
            raise RefusedError(
                f"operand {i} of {value.dtype.label} without quantization, expected a float or quantized"
            )
        return value

    def params(self, i: int) -> QuantParams | None:
        """Returns what the integers of operand i stand for; None for floats and plain integers."""
        tensor = self.operands[i]
        return None if tensor is None else tensor.quantization

    def result_params(self, i: int = 0) -> QuantParams | None:
        """Returns what the integers of result i stand for."""
        return self.results[i].quantization

    def moved(self, i: int = 0) -> Value:
        """Returns operand i for an operator that only moves elements: stored where the result stands for the same."""
        return self.stored(i) if same_params(self.params(i), self.result_params()) else self.real(i)

    def array(self, i: int, what: str) -> np.ndarray:
        """Returns the elements of operand i, which must be a constant."""
        value = self.stored(i)
        known = value.const
        if known is None:
            elements = self.emitter.knowledge.get(value)
            ints = None if elements is None else folding.as_ints(elements)
            if elements is None or ints is None:
                raise RefusedError(f"{what} (operand {i}) is computed at run time, expected a constant")
            known = np.array(ints, np.int64).reshape(elements.shape)
        return known

    def weight(self, i: int) -> tuple[np.ndarray, QuantParams | None]:
        """Returns the stored elements of operand i, which must be a constant, and what they stand for.

        A DEQUANTIZE of a constant says the same as a quantized constant.
        """
        held = DequantizedConstant.of(self.stored(i))
        if held is None:
            return self.array(i, "weight"), self.params(i)
        zero = np.zeros(held.scale.shape, np.int32) if held.zero_point is None else held.zero_point.astype(np.int32)
        return held.integers, QuantParams(held.scale, zero, held.axis if held.scale.ndim else -1, held.block_size)

    def is_known(self, i: int) -> bool:
        """Whether the elements of operand i are known while importing."""
        value = self.stored(i)
        known = None if value.is_const else self.emitter.knowledge.get(value)
        return value.is_const or (known is not None and folding.as_ints(known) is not None)

    def ints(self, i: int, what: str) -> list[int]:
        """Returns operand i as a list of ints."""
        return [int(v) for v in self.array(i, what).reshape(-1)]

    def option(self, name: str, default: Any = 0) -> Any:
        """Returns an option, or the default where the file has no options."""
        return self.options.get(name, default)

    def custom_options(self) -> dict[str, Any]:
        """Returns the numbers that the flexbuffer of a custom operator names."""
        return flatbuffer.custom_options(self.operator.custom, self.op)

    # ---- emitting ----

    def constant(self, data: Any, dtype: Any = None) -> Value:
        """Returns a constant."""
        array = np.ascontiguousarray(np.asarray(data, dtype)).reshape(np.shape(data))
        return self.emitter.graph.constant(array, f"{self.name}.const")

    def int64s(self, data: Sequence[int]) -> Value:
        """Returns a constant int64 vector."""
        return self.constant(np.array(list(data), np.int64))

    def emit(
        self, op: str, inputs: Sequence[Value | None], attrs: dict[str, Any] | None = None, outputs: int = 1
    ) -> list[Value]:
        """Adds a node and returns its results."""
        return self.emitter.emit(self.name, op, inputs, attrs, outputs)

    def add(self, op: str, inputs: Sequence[Value | None], attrs: dict[str, Any] | None = None) -> Value:
        """Adds a node with one result."""
        return self.emit(op, inputs, attrs)[0]

    def unary(self, kind: str, x: Value, alpha: float = 0.0, beta: float = 0.0) -> Value:
        """Adds y = f(x)."""
        return self.add("unary", [x], {"kind": kind, "alpha": alpha, "beta": beta})

    def binary(self, kind: str, a: Value, b: Value) -> Value:
        """Adds y = f(a, b)."""
        return self.add("binary", [a, b], {"kind": kind})

    def reshape(self, x: Value, shape: Sequence[int]) -> Value:
        """Returns x in another shape; one dim may be -1."""
        return x if list(x.shape) == list(shape) else self.add("reshape", [x, self.int64s(shape)], {"allow_zero": True})

    def transpose(self, x: Value, perm: Sequence[int]) -> Value:
        """Returns x with its axes permuted."""
        return x if list(perm) == list(range(len(x.shape))) else self.add("transpose", [x], {"perm": list(perm)})

    def slice(self, x: Value, axis: int, start: int, end: int) -> Value:
        """Returns the elements of x in [start, end) of an axis."""
        return self.add("slice", [x, *(self.int64s([v]) for v in (start, end, axis))])

    def cast(self, x: Value, dtype: DType) -> Value:
        """Returns x as another dtype."""
        return x if x.dtype is dtype else self.add("cast", [x], {"to": dtype.value})

    # ---- shapes and options that many operators share ----

    def dims(self, x: Value, what: str) -> list[int]:
        """Returns the shape of a value; RefusedError when a dim is not fixed."""
        dims = [d for d in x.shape if isinstance(d, int)]
        if len(dims) != len(x.shape):
            raise RefusedError(
                f"{what} has the shape {list(x.shape)}, expected fixed dims", "give shapes={input: [..]}"
            )
        return dims

    def axis(self, axis: int, rank: int) -> int:
        """Returns an axis counted from the front; RefusedError when there is no such one."""
        if not -rank <= axis < rank:
            raise RefusedError(f"axis {axis}, expected one in [{-rank}, {rank})")
        return int(axis) % rank

    def image(self, i: int) -> Value:
        """Returns operand i, which must be a float [n, h, w, c]."""
        x = self.floats(i)
        if len(x.shape) != 4:
            raise RefusedError(f"operand {i} of rank {len(x.shape)}, expected [n, h, w, c]")
        return x

    def window(self, x: Value, kernel: Sequence[int], *, dilated: bool = False) -> dict[str, list[int]]:
        """Returns the attributes of a 2-d window over x [n, h, w, c], with the padding resolved."""
        strides = [self.option("stride_h", 1), self.option("stride_w", 1)]
        dilations = [self.option("dilation_h", 1), self.option("dilation_w", 1)] if dilated else [1, 1]
        if min(strides) < 1 or min(dilations) < 1 or min(kernel) < 1:
            raise RefusedError(f"kernel {list(kernel)}, strides {strides}, dilations {dilations}, expected at least 1")
        pads = [0, 0, 0, 0]
        if self.is_same_padding():
            for i, size in enumerate(self.dims(x, "the image")[1:3]):
                pads[i], pads[i + 2] = auto_pads("SAME_UPPER", size, kernel[i], strides[i], dilations[i])
        return {"kernel_shape": list(kernel), "strides": strides, "pads": pads, "dilations": dilations}

    def is_same_padding(self) -> bool:
        """Whether the option says SAME; RefusedError when it says neither SAME nor VALID."""
        padding = PADDINGS.get(self.option("padding"))
        if padding is None:
            raise RefusedError(f"padding {self.option('padding')}, expected SAME or VALID")
        return padding == "SAME"

    def activated(self, y: Value) -> Value:
        """Returns y after the fused activation of the options."""
        number = self.option("activation")
        name = ACTIVATIONS.get(number, str(number))
        if name == "NONE":
            return y
        if name == "RELU":
            return self.unary("relu", y)
        if name == "RELU6":
            return self.unary("clip", y, 0.0, 6.0)
        if name == "RELU_N1_TO_1":
            return self.unary("clip", y, -1.0, 1.0)
        if name == "TANH":
            return self.unary("tanh", y)
        raise RefusedError(f"fused activation {name}, expected NONE, RELU, RELU6, RELU_N1_TO_1 or TANH")


def same_params(a: QuantParams | None, b: QuantParams | None) -> bool:
    """Whether integers of both stand for the same numbers (per tensor only: channels may move)."""
    if a is None or b is None:
        return a is b
    if a.axis >= 0 or b.axis >= 0:
        return False
    return bool(a.scale == b.scale and a.zero_point == b.zero_point)
