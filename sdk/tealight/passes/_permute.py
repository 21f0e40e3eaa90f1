# SPDX-License-Identifier: Apache-2.0
"""How each op works on permuted operands: one rule per op, for move_transposes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tealight.ir.graph import Node, Value
from tealight.passes._editor import known, out


@dataclasses.dataclass
class Permuted:
    """A node, on operands whose dims are permuted.

    Attributes:
        attrs: Its attributes then.
        data: Which operands are permuted; those of lower rank are extended with leading dims of size one first.
        params: Constants that take the place of operands that carry axes, pads, shapes …
        permutes_result: Whether the results come out permuted too (else they are as before).
    """

    attrs: dict[str, Any]
    data: tuple[int, ...]
    params: dict[int, np.ndarray] = dataclasses.field(default_factory=dict)
    permutes_result: bool = True


def permuted(node: Node, perm: Sequence[int]) -> Permuted | None:
    """Returns the node that takes transpose(operand, perm) and gives transpose(result, perm); None when none does."""
    rule = _RULES.get(node.op)
    value = base_value(node)
    if rule is None or value is None or node.subgraphs or len(value.shape) != len(perm):
        return None
    return rule(node, list(perm))


def works_permuted(node: Node | None) -> bool:
    """Whether the op of a node has a rule."""
    return node is not None and node.op in _RULES


def base_value(node: Node) -> Value | None:
    """The value whose rank is the rank of the permutation: the result where operands broadcast, else operand 0."""
    if node.op in ("binary", "where", "elementwise", "expand"):
        return out(node)
    return node.inputs[0] if node.inputs else None


def _moved(axis: int, perm: list[int]) -> int:
    """Where an axis goes."""
    return perm.index(int(axis) % len(perm))


def _pointwise(node: Node, perm: list[int]) -> Permuted | None:
    return Permuted(dict(node.attrs), tuple(i for i, v in enumerate(node.inputs) if v is not None))


def _one_axis(node: Node, perm: list[int]) -> Permuted | None:
    """Ops with one axis attribute that act along it and keep the rank."""
    count = len(node.inputs) if node.op == "concat" else 1
    return Permuted({**node.attrs, "axis": _moved(node.attrs["axis"], perm)}, tuple(range(count)))


def _axes_operand(node: Node, index: int, rank: int) -> list[int] | None:
    """The axes of an operand that may be absent (all axes); None when they are not known."""
    operand = node.input(index)
    if operand is None:
        return list(range(rank))
    axes = known(operand)
    return None if axes is None else [int(a) % rank for a in axes.reshape(-1)]


def _slice(node: Node, perm: list[int]) -> Permuted | None:
    starts = node.inputs[1]
    if node.input(3) is None and (starts is None or not isinstance(starts.shape[0], int)):
        return None
    axes = _axes_operand(node, 3, len(perm))
    if axes is None:
        return None
    if node.input(3) is None and starts is not None:
        axes = axes[: int(starts.shape[0])]
    return Permuted(dict(node.attrs), (0,), {3: np.array([_moved(a, perm) for a in axes], np.int64)})


def _pad(node: Node, perm: list[int]) -> Permuted | None:
    pads, axes = known(node.input(1)), _axes_operand(node, 3, len(perm))
    if pads is None or axes is None:
        return None
    if node.input(3) is None and len(axes) * 2 != pads.size:
        return None
    return Permuted(
        dict(node.attrs), (0,), {1: pads.astype(np.int64), 3: np.array([_moved(a, perm) for a in axes], np.int64)}
    )


def _keeps_order(node: Node, axes: Sequence[int], perm: list[int]) -> bool:
    """Whether the dims left after dropping axes come in the same order (dims of size one do not count)."""
    x = node.inputs[0]
    assert x is not None
    left = [p for p in perm if p not in axes and x.shape[p] != 1]
    return left == sorted(left)


def _reduce(node: Node, perm: list[int]) -> Permuted | None:
    axes = _axes_operand(node, 1, len(perm))
    if axes is None or (not node.attrs["keepdims"] and not _keeps_order(node, axes, perm)):
        return None
    moved = np.array(sorted(_moved(a, perm) for a in axes), np.int64)
    params = {} if node.input(1) is None else {1: moved}
    if not node.attrs["keepdims"] and not _same_shape_left(node, axes, perm):
        return None
    return Permuted(dict(node.attrs), (0,), params, permutes_result=bool(node.attrs["keepdims"]))


def _same_shape_left(node: Node, axes: Sequence[int], perm: list[int]) -> bool:
    x = node.inputs[0]
    assert x is not None
    return [x.shape[p] for p in perm if p not in axes] == [d for i, d in enumerate(x.shape) if i not in axes]


def _arg_reduce(node: Node, perm: list[int]) -> Permuted | None:
    axis, keep = int(node.attrs["axis"]) % len(perm), bool(node.attrs["keepdims"])
    if not keep and not (_keeps_order(node, [axis], perm) and _same_shape_left(node, [axis], perm)):
        return None
    return Permuted({**node.attrs, "axis": _moved(axis, perm)}, (0,), permutes_result=keep)


def _cum_sum(node: Node, perm: list[int]) -> Permuted | None:
    axis = known(node.input(1))
    if axis is None:
        return None
    moved = np.array(_moved(int(axis.reshape(-1)[0]), perm), np.int64).reshape(axis.shape)
    return Permuted(dict(node.attrs), (0,), {1: moved})


def _gather(node: Node, perm: list[int]) -> Permuted | None:
    indices = node.inputs[1]
    return _one_axis(node, perm) if indices is not None and len(indices.shape) == 1 else None


def _resize(node: Node, perm: list[int]) -> Permuted | None:
    attrs, params = dict(node.attrs), {}
    if attrs["axes"]:
        attrs["axes"] = [_moved(a, perm) for a in attrs["axes"]]
        return Permuted(attrs, (0,))
    for i in (1, 2, 3):
        operand = node.input(i)
        if operand is None:
            continue
        array = known(operand)
        if array is None:
            return None
        if array.size:
            params[i] = array.reshape(-1, len(perm))[:, perm].reshape(-1)
    return Permuted(attrs, (0,), params)


def _expand(node: Node, perm: list[int]) -> Permuted | None:
    shape = known(node.input(1))
    if shape is None or shape.size > len(perm):
        return None
    full = np.concatenate([np.ones(len(perm) - shape.size, np.int64), shape.astype(np.int64)])
    return Permuted(dict(node.attrs), (0,), {1: full[perm]})


def _tile(node: Node, perm: list[int]) -> Permuted | None:
    repeats = known(node.input(1))
    return None if repeats is None else Permuted(dict(node.attrs), (0,), {1: repeats[perm]})


def _last_stays(node: Node, perm: list[int]) -> Permuted | None:
    """Ops over the last axis: the other dims may come in any order."""
    if perm[-1] != len(perm) - 1:
        return None
    data = [0]
    if node.op == "fully_connected" and node.input(3) is not None:
        data.append(3)
    if node.op == "layer_norm" and int(node.attrs["axis"]) not in (-1, len(perm) - 1):
        return None
    return Permuted(dict(node.attrs), tuple(data))


def _group_norm(node: Node, perm: list[int]) -> Permuted | None:
    return _last_stays(node, perm) if perm[0] == 0 else None


def _steps(node: Node, perm: list[int]) -> Permuted | None:
    """Quantize and dequantize: scales along one axis go with it."""
    scale = node.inputs[1]
    if scale is None or scale.const is None or node.attrs["block_size"]:
        return None
    attrs = dict(node.attrs)
    if scale.const.size > 1:
        attrs["axis"] = _moved(attrs["axis"], perm)
    return Permuted(attrs, (0,))


def _table(node: Node, perm: list[int]) -> Permuted | None:
    return Permuted(dict(node.attrs), (0,))


_RULES: dict[str, Callable[[Node, list[int]], Permuted | None]] = {
    "unary": _pointwise,
    "quantize": _steps,
    "dequantize": _steps,
    "lut": _table,
    "cast": _pointwise,
    "binary": _pointwise,
    "where": _pointwise,
    "elementwise": _pointwise,
    "concat": _one_axis,
    "split": _one_axis,
    "softmax": _one_axis,
    "lp_normalize": _one_axis,
    "top_k": _one_axis,
    "slice": _slice,
    "pad": _pad,
    "reduce": _reduce,
    "arg_reduce": _arg_reduce,
    "cum_sum": _cum_sum,
    "gather": _gather,
    "resize": _resize,
    "expand": _expand,
    "tile": _tile,
    "fully_connected": _last_stays,
    "layer_norm": _last_stays,
    "lrn": _last_stays,
    "group_norm": _group_norm,
}
