# SPDX-License-Identifier: Apache-2.0
"""The table of converters: one function per .tflite operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from tealight.frontends.tflite.context import OperatorContext
    from tealight.ir.graph import Value

#: Converts one operator; returns its results: as stored, or float32 where the file says they are quantized.
Converter = Callable[["OperatorContext"], "Value | Sequence[Value]"]

_C = TypeVar("_C", bound="Callable[[OperatorContext], Value | Sequence[Value]]")

_TABLE: dict[str, Converter] = {}


def converts(*ops: str) -> Callable[[_C], _C]:
    """Decorator: the function converts these operators."""

    def register(function: _C) -> _C:
        for op in ops:
            if op in _TABLE:
                raise ValueError(f"{op} has two converters")
            _TABLE[op] = function
        return function

    return register


def find(op: str) -> Converter | None:
    """Returns the converter of an operator, or None."""
    return _TABLE.get(op)


def supported() -> list[str]:
    """Returns the operators with a converter, sorted."""
    return sorted(_TABLE)
