# SPDX-License-Identifier: Apache-2.0
"""The table of converters: one function per foreign op, and per opset where the meaning of the op changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from tealight.frontends.onnx.context import NodeContext, SequenceValue
    from tealight.ir.graph import Value

#: Converts one node; returns its results, fewer than the node has when the others cannot be given.
Converter = Callable[["NodeContext"], "Value | SequenceValue | Sequence[Value | SequenceValue | None]"]

_C = TypeVar("_C", bound="Callable[[NodeContext], Value | SequenceValue | Sequence[Value | SequenceValue | None]]")

_TABLE: dict[tuple[str, str], list[tuple[int, Converter]]] = {}


def converts(*ops: str, since: int = 1, domain: str = "") -> Callable[[_C], _C]:
    """Decorator: the function converts these ops from opset `since` on, until a later registration takes over."""

    def register(function: _C) -> _C:
        for op in ops:
            rows = _TABLE.setdefault((domain, op), [])
            if any(s == since for s, _ in rows):
                raise ValueError(f"{domain}::{op} has two converters since opset {since}")
            rows.append((since, function))
            rows.sort(key=lambda row: row[0])
        return function

    return register


def find(domain: str, op: str, opset: int) -> Converter | None:
    """Returns the converter for an op at an opset, or None."""
    found = None
    for since, function in _TABLE.get((domain, op), ()):
        if since <= opset:
            found = function
    return found


def supported() -> list[str]:
    """Returns the ops with a converter, sorted; those of other domains carry it."""
    return sorted(f"{domain}::{op}" if domain else op for domain, op in _TABLE)
