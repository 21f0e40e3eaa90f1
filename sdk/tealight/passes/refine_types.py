# SPDX-License-Identifier: Apache-2.0
"""Infers types again, so that what a pass learned reaches the nodes after it."""

from __future__ import annotations

import dataclasses

from tealight.ir.graph import Graph
from tealight.ir.types import Dim, TensorType
from tealight.ops import get
from tealight.passes._manager import Options


def refine_types(graph: Graph, options: Options) -> int:
    """Sharpens the types of results where inference now knows more.

    Given:
        %y: float32[1, ?0, 8] = slice(%x: float32[1, 10, 8], const, const)
    Result:
        %y: float32[1, 4, 8] = slice(%x: float32[1, 10, 8], const, const)
    Keeps:
        Fixed dims, and named symbols unless a fixed dim is found.
    """
    changed = 0
    for node in graph.nodes:
        if node.subgraphs:
            continue
        for value, found in zip(node.outputs, get(node.op).infer_node(node), strict=False):
            if value is None:
                continue
            sharper = _sharper(value.type, found)
            if sharper is not value.type:
                value.type = sharper
                changed += 1
    return changed


def _sharper(old: TensorType, new: TensorType) -> TensorType:
    shape = tuple(_sharper_dim(a, b) for a, b in zip(old.shape, new.shape, strict=True))
    const = old.const if old.const is not None else new.const
    if shape == old.shape and const is old.const:
        return old
    return dataclasses.replace(old, shape=shape, const=const)


def _sharper_dim(old: Dim, new: Dim) -> Dim:
    if isinstance(old, int):
        return old
    if isinstance(new, int):
        return new
    return new if old.startswith("?") and not new.startswith("?") else old
