# SPDX-License-Identifier: Apache-2.0
"""Which layout each constant operand has in the bundle, and the pool that stores equal bytes once."""

from __future__ import annotations

import hashlib

import numpy as np

from tealight import ops
from tealight.bundle import layouts
from tealight.errors import TealightError
from tealight.ir.graph import Node, Value
from tealight.ir.types import Layout


def operand_layout(node: Node, i: int) -> tuple[Layout, int]:
    """Returns the layout and its groups of operand i.

    Raises:
        TealightError: The operand must be packed but is computed at run time, or has no output channel.
    """
    definition = ops.get(node.op)
    name = definition.operand_name(i)
    layout = definition.layout(node, name)
    value = node.input(i)
    if layout is Layout.PLAIN or value is None:
        return Layout.PLAIN, 1
    if not value.is_const:
        raise TealightError(
            f"{node.op} {node.name!r} {name}: computed at run time, must be a constant; "
            "fold it, or use an op that takes a computed one",
            node=node.name, op=node.op,
        )  # fmt: skip
    if value.shape[0] == 0:
        raise TealightError(
            f"{node.op} {node.name!r} {name}: shape {list(value.shape)}, expected at least one output channel; "
            "remove the layer from the model",
            node=node.name, op=node.op,
        )  # fmt: skip
    return layout, definition.layout_groups(node)


class ConstantPool:
    """Content-addressed constants, in order of first use."""

    def __init__(self) -> None:
        self.blobs: list[np.ndarray] = []
        self._by_digest: dict[bytes, int] = {}

    def add(self, elements: np.ndarray) -> int:
        """Returns the index of a constant with these bytes."""
        blob = np.ascontiguousarray(elements).reshape(-1).view(np.uint8)
        digest = hashlib.sha256(blob.data).digest()
        index = self._by_digest.setdefault(digest, len(self.blobs))
        if index == len(self.blobs):
            self.blobs.append(blob)
        return index

    def add_packed(self, value: Value, layout: Layout, groups: int, node: Node | None) -> int:
        """Packs the elements of a constant value and returns its index."""
        assert value.const is not None
        array = np.asarray(value.const)
        return self.add(layouts.pack(array, layout, groups, node.attrs if node is not None else None))
