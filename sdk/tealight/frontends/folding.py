# SPDX-License-Identifier: Apache-2.0
"""What is known of values while importing: constants are folded, and shape arithmetic is followed symbolically.

Models compute the operands of Reshape, Expand … from Shape; with every dim known that is a constant, and with a
symbolic batch most elements still are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tealight import ops
from tealight.ir.graph import Node, Value
from tealight.ir.types import TensorType
from tealight.ops._dequantized import DequantizedConstant

#: Constants larger than this are only made when they are not much larger than what they are made from.
_MAX_GROWN_BYTES = 1 << 20
#: Vectors longer than this carry no shapes.
_MAX_KNOWN = 64


def fold(
    op: str, inputs: Sequence[Value | None], attrs: dict[str, Any], *, force: bool = False
) -> list[np.ndarray] | None:
    """Returns the results of an op over constants, or None where they should be computed by the program.

    Args:
        op: Name of the op.
        inputs: Operands.
        attrs: Attributes; those left out get the op's defaults.
        force: Fold results of any size, and dequantize (whose operands are smaller, and what integer kernels want).

    Raises:
        TealightError: The operands do not fit the op.
    """
    if op in ("if", "loop") or (op == "dequantize" and not force):
        return None
    if any(v is not None and not v.is_const for v in inputs):
        return None
    definition = ops.get(op)
    node = Node(op, inputs, [], definition.complete(attrs))
    types = definition.infer_node(node)
    if not force and _grows(inputs, types):
        return None
    with np.errstate(all="ignore"):
        results = definition.reference(*[None if v is None else v.const for v in inputs], **node.attrs)
    arrays = [results] if isinstance(results, np.ndarray | np.generic) else list(results)
    return [np.ascontiguousarray(a, t.dtype.numpy).reshape(np.shape(a)) for a, t in zip(arrays, types, strict=False)]


def rearranged(op: str, inputs: Sequence[Value | None], attrs: dict[str, Any]) -> DequantizedConstant | None:
    """Returns what transpose and reshape make of a constant that is kept as integers; None for anything else."""
    held = DequantizedConstant.of(inputs[0]) if op in ("transpose", "reshape") and inputs else None
    if held is None or any(v is None or not v.is_const for v in inputs[1:]):
        return None
    definition = ops.get(op)
    rest = [None if v is None else v.const for v in inputs[1:]]
    full = definition.complete(attrs)
    return held.rearranged(lambda a: np.asarray(definition.reference(a, *rest, **full)))


def _grows(inputs: Sequence[Value | None], types: Sequence[TensorType]) -> bool:
    """Whether folding would make a large constant out of small ones."""
    made = sum(t.nbytes for t in types if t.is_static)
    read = sum(v.type.nbytes for v in inputs if v is not None)
    return made > max(_MAX_GROWN_BYTES, 2 * read)


# ---- symbolic knowledge ----


@dataclasses.dataclass(frozen=True)
class Unknown:
    """An element of which nothing is known."""


UNKNOWN = Unknown()

#: Elements (int, str = the symbol of a dim, UNKNOWN) of an integer scalar or vector.
Known = np.ndarray
#: Stands for an operand that is absent.
_ABSENT: Known = np.empty(0, object)


class Knowledge:
    """Partly known elements of small integer values, by value."""

    def __init__(self) -> None:
        self._table: dict[Value, Known] = {}

    def get(self, value: Value | None) -> Known | None:
        """Returns what is known of a value's elements, or None."""
        if value is None:
            return None
        array = value.const
        if array is not None:
            if array.dtype.kind not in "iu" or array.ndim > 1 or array.size > _MAX_KNOWN:
                return None
            return objects(array.tolist(), array.shape)
        return self._table.get(value)

    def put(self, value: Value, known: Known) -> None:
        """Records what is known of a value."""
        if known.ndim <= 1 and known.size <= _MAX_KNOWN:
            self._table[value] = known

    def learn(self, value: Value, known: Known) -> np.ndarray | None:
        """Records what is known of a result, and returns its elements where all are known.

        Numbers that its dtype cannot hold wrap around at run time, as a dim may do in 8 or 16 bits: they are forgotten.
        """
        dtype = value.dtype.numpy
        if dtype.kind not in "iu" or dtype.itemsize < 4:
            return None
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        if any(isinstance(v, int) and not low <= v <= high for v in known.flat):
            return None
        ints = as_ints(known)
        if ints is None:
            self.put(value, known)
            return None
        return np.array(ints, dtype).reshape(known.shape)

    def propagate(self, op: str, inputs: Sequence[Value | None], attrs: dict[str, Any]) -> Known | None:
        """Returns what is known of the result of an op, or None."""
        rule = _RULES.get(op)
        if rule is None:
            return None
        if op == "shape":
            x = inputs[0]
            assert x is not None
            return rule([objects(list(x.shape), (len(x.shape),))], attrs)
        known = [self.get(v) for v in inputs]
        if any(v is not None and k is None for v, k in zip(inputs, known, strict=True)):
            return None
        try:
            return rule([_ABSENT if k is None else k for k in known], attrs)
        except (ValueError, IndexError, TypeError):
            return None


def objects(items: Any, shape: Sequence[int]) -> Known:
    """Returns items as an object array of a shape."""
    flat = items if isinstance(items, list) else [items]
    array = np.empty(len(flat), object)
    array[:] = flat
    return array.reshape(tuple(shape))


def as_ints(known: Known) -> list[int] | None:
    """Returns the elements where all are known."""
    flat = known.reshape(-1).tolist()
    return [int(v) for v in flat] if all(isinstance(v, int) for v in flat) else None


def _ints(known: Known) -> list[int]:
    ints = as_ints(known)
    if ints is None:
        raise ValueError("not known")
    return ints


def _shape(k: list[Known], attrs: dict[str, Any]) -> Known:
    return k[0][slice(attrs.get("start", 0), attrs.get("end", 2**31 - 1))]


def _gather(k: list[Known], attrs: dict[str, Any]) -> Known:
    index = np.array(_ints(k[1]), np.int64).reshape(k[1].shape)
    return objects(k[0][index].reshape(-1).tolist() if index.ndim else k[0][int(index)], index.shape)


def _concat(k: list[Known], attrs: dict[str, Any]) -> Known:
    return np.concatenate(k)


def _slice(k: list[Known], attrs: dict[str, Any]) -> Known:
    start, end = _ints(k[1])[0], _ints(k[2])[0]
    step = _ints(k[4])[0] if len(k) > 4 and k[4].size else 1
    return k[0][slice(start, None if step < 0 and end < -len(k[0]) else end, step)]


def _reshape(k: list[Known], attrs: dict[str, Any]) -> Known:
    return k[0].reshape(_ints(k[1]))


def _cast(k: list[Known], attrs: dict[str, Any]) -> Known:
    return k[0]


def _combine(kind: str, a: Any, b: Any) -> Any:
    if isinstance(a, int) and isinstance(b, int):
        if kind == "div":
            return (abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1) if b else UNKNOWN
        return {"add": a + b, "sub": a - b, "mul": a * b, "max": max(a, b), "min": min(a, b)}.get(kind, UNKNOWN)
    if (kind in ("mul", "div") and b == 1) or (kind in ("add", "sub") and b == 0):
        return a
    if (kind == "mul" and a == 1) or (kind == "add" and a == 0):
        return b
    if kind == "mul" and (a == 0 or b == 0):
        return 0
    if isinstance(a, str) and a == b:
        return {"sub": 0, "max": a, "min": a}.get(kind, UNKNOWN)
    return UNKNOWN


def _binary(k: list[Known], attrs: dict[str, Any]) -> Known:
    kind = attrs["kind"]
    if kind not in ("add", "sub", "mul", "div", "max", "min"):
        raise ValueError(kind)
    a, b = np.broadcast_arrays(k[0], k[1])
    return objects([_combine(kind, p, q) for p, q in zip(a.flat, b.flat, strict=True)], a.shape)


def _reduce(k: list[Known], attrs: dict[str, Any]) -> Known:
    if attrs["kind"] != "prod" or k[0].ndim != 1:
        raise ValueError(attrs["kind"])
    total: Any = 1
    for item in k[0].tolist():
        total = _combine("mul", total, item)
    return objects([total], (1,) if attrs.get("keepdims", True) else ())


_RULES: dict[str, Callable[[list[Known], dict[str, Any]], Known]] = {
    "shape": _shape,
    "gather": _gather,
    "concat": _concat,
    "slice": _slice,
    "reshape": _reshape,
    "cast": _cast,
    "binary": _binary,
    "reduce": _reduce,
}
