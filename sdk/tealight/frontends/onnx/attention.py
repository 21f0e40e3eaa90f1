# SPDX-License-Identifier: Apache-2.0
"""Converter of Attention to the op of the same name; rare forms take the function body of the standard."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tealight.frontends.onnx.context import NodeContext, TakeFunctionBodyError
from tealight.frontends.onnx.registry import converts
from tealight.ir.graph import Value
from tealight.ir.types import DType


@converts("Attention", since=23)
def attention(c: NodeContext) -> Sequence[Value | None]:
    """Scaled dot-product attention with grouped heads, cache and mask."""
    _check_form(c)
    q, k, v = (_heads(c, i) for i in range(3))
    if c.optional(4) is not None and c.optional(5) is not None:
        k, v = c.concat([c.input(4), k], 2), c.concat([c.input(5), v], 2)
    heads, kv_heads = (c.static(x, 1, "number of heads") for x in (q, k))
    depth = c.static(q, 3, "head size")
    bias = _bias(c, q, k)
    group = heads // kv_heads
    batch, steps = c.dim(q, 0), c.dim(q, 2)
    rows = q
    if group > 1:  # heads that share a key become more rows of one head
        size = c.static(q, 2, "sequence length of grouped heads")
        rows = c.reshape(q, [batch, kv_heads, group * size, depth])
        bias = None if bias is None else _grouped_bias(c, bias, kv_heads, group, size)
    operands = [rows, k, v] if bias is None else [rows, k, v, bias]
    y = c.add("attention", operands, {"scale": c.number("scale", 1.0 / math.sqrt(depth))})
    if bias is not None and bias.const is None:  # a row that may see no key gives zeros
        seen = c.binary("greater", c.reduce("max", bias, [-1]), c.scalar(-math.inf, bias))
        y = c.add("where", [seen, y, c.scalar(0.0, y)])
    if group > 1:
        y = c.reshape(y, [batch, heads, steps, c.dim(v, 3)])
    if len(c.input(0).shape) == 3:
        width = heads * c.static(v, 3, "head size")
        y = c.reshape(c.transpose(y, [0, 2, 1, 3]), [batch, steps, width])
    return [y, k, v][: len(c.wanted)]


def _check_form(c: NodeContext) -> None:
    """Leaves the forms that have no direct translation to the function body."""
    q = c.input(0)
    windows = [c.integer(name, -1) for name in ("left_window_size", "right_window_size")]
    mask = c.optional(3)
    causal = bool(c.integer("is_causal", 0))
    odd = (
        c.wants(3)
        or c.optional(6) is not None
        or c.number("softcap", 0.0) != 0.0
        or windows != [-1, -1]
        or len(q.shape) not in (3, 4)
        or (
            causal
            and not all(
                isinstance(v.shape[-2], int) for v in map(c.optional, range(6)) if v is not None and v is not mask
            )
        )
    )
    if odd:
        raise TakeFunctionBodyError


def _heads(c: NodeContext, i: int) -> Value:
    """Returns an operand as [batch, heads, steps, depth]."""
    x = c.input(i)
    if len(x.shape) == 4:
        return x
    heads = c.integer("q_num_heads" if i == 0 else "kv_num_heads")
    depth = c.static(x, 2, "hidden size") // heads
    return c.transpose(c.reshape(x, [c.dim(x, 0), c.dim(x, 1), heads, depth]), [0, 2, 1, 3])


def _bias(c: NodeContext, q: Value, k: Value) -> Value | None:
    """Returns what is added to the scores: the mask and the causal frontier."""
    mask = c.optional(3)
    if mask is not None:
        if mask.shape[-1] != k.shape[2]:
            raise TakeFunctionBodyError
        if mask.dtype is DType.BOOL:
            zero, never = (c.constant(np.array(v, np.float32)) for v in (0.0, -math.inf))
            mask = c.add("where", [mask, zero, never])
    if not c.integer("is_causal", 0):
        return _without_empty_rows(mask)
    s, t = c.static(q, 2, "sequence length"), c.static(k, 2, "sequence length")
    past = c.optional(4)
    offset = 0 if past is None else c.static(past, 2, "cache length")
    frontier = np.where(np.tri(s, t, offset, dtype=bool), np.float32(0), np.float32(-math.inf)).astype(np.float32)
    causal = c.constant(frontier, name=f"{c.name}.causal")
    return _without_empty_rows(causal if mask is None else c.binary("add", mask, causal))


def _without_empty_rows(bias: Value | None) -> Value | None:
    if bias is not None and bias.const is not None and np.isneginf(bias.const.max(axis=-1)).any():
        raise TakeFunctionBodyError
    return bias


def _grouped_bias(c: NodeContext, bias: Value, kv_heads: int, group: int, size: int) -> Value:
    """Returns a bias for heads [.., h, s, t] as one for [.., kv, group * s, t]."""
    while len(bias.shape) < 4:
        bias = c.unsqueeze(bias, [0])
    batch, heads, steps, keys = c.dims(bias)
    if heads == 1:
        return bias if steps == 1 else c.concat([bias] * group, 2)
    if steps == 1 and size != 1:
        raise TakeFunctionBodyError
    return c.reshape(bias, [batch, kv_heads, group * size, keys])
