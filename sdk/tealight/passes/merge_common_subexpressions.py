# SPDX-License-Identifier: Apache-2.0
"""Computes equal things once."""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Hashable
from typing import Any

import numpy as np

from tealight.ir.graph import Graph, Node, Value
from tealight.passes._editor import Editor
from tealight.passes._manager import Options


def merge_common_subexpressions(graph: Graph, options: Options) -> int:
    """Merges nodes with the same op, attributes and operands; equal constants count as the same operand.

    Given:
        %a = transpose(%x, perm=[0, 2, 1]); %b = transpose(%x, perm=[0, 2, 1])
    Result:
        %a = transpose(%x, perm=[0, 2, 1])
    Keeps:
        Two graph outputs stay two values.
    """
    editor = Editor(graph)
    constants = {v for node in editor.nodes() for v in node.inputs if v is not None and v.const is not None}
    samples = {v: _sample(v) for v in constants}
    often = collections.Counter(samples.values())
    # What differs in a sample is not read as a whole: weights are most of a model.
    digests: dict[Value, Hashable] = {v: s for v, s in samples.items() if often[s] == 1}
    seen: dict[Hashable, Node] = {}
    for node in editor.nodes():
        if node.subgraphs:
            continue
        key = (node.op, _freeze(node.attrs), tuple(_key(v, digests) for v in node.inputs))
        first = seen.setdefault(key, node)
        if first is node:
            continue
        pairs = [(a, b) for a, b in zip(first.outputs, node.outputs, strict=False) if b is not None]
        if any(a is None for a, _ in pairs) or not all(editor.can_replace(b, a) for a, b in pairs if a is not None):
            continue
        for a, b in pairs:
            if a is not None:
                editor.replace(b, a)
        editor.remove(node)
        editor.rewrites += 1
    return editor.rewrites


def _sample(value: Value) -> Hashable:
    """Returns dtype, shape and some elements of a constant: equal for equal constants."""
    assert value.const is not None
    flat = value.const.reshape(-1)
    return value.dtype, value.const.shape, flat[:: max(flat.size // 64, 1)].tobytes()


def _key(value: Value | None, digests: dict[Value, Hashable]) -> Hashable:
    if value is None:
        return None
    if value.const is None:
        return id(value)
    if value not in digests:
        digests[value] = (value.dtype, value.const.shape, hashlib.sha256(value.const.tobytes()).digest())
    return digests[value]


def _freeze(x: Any) -> Hashable:
    """Returns a hashable form of attribute values; floats by their bits, so that -0.0 and 0.0 differ."""
    if isinstance(x, dict):
        return tuple((k, _freeze(x[k])) for k in sorted(x))
    if isinstance(x, list | tuple | np.ndarray):
        return tuple(_freeze(i) for i in x)
    if isinstance(x, float):
        return ("float", x.hex())
    return x if isinstance(x, Hashable) else repr(x)
