# SPDX-License-Identifier: Apache-2.0
"""Patterns over the values of a graph: written as expressions, matched against a value and what computes it.

Example:
    >>> gate = U("sigmoid", Any("x"))
    >>> match(B("mul", Any("x"), gate), value)  # {"x": %x} when value is x * sigmoid(x)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any as AnyType

from tealight.ir.graph import Node, Value
from tealight.passes._editor import Editor, is_plain, scalar

_COMMUTATIVE = ("add", "mul")


@dataclasses.dataclass(frozen=True)
class Found:
    """A match: values by name, and the nodes it covers (the root first)."""

    values: dict[str, Value]
    nodes: tuple[Node, ...] = ()

    def __getitem__(self, name: str) -> Value:
        """Returns the value bound to a name."""
        return self.values[name]

    def bind(self, name: str, value: Value) -> Found | None:
        """Returns this with one more name; None when the name already means another value."""
        if name in self.values:
            return self if self.values[name] is value else None
        return Found({**self.values, name: value}, self.nodes)

    def cover(self, node: Node) -> Found:
        """Returns this with one more node."""
        return Found(self.values, (*self.nodes, node))


class Pattern:
    """Base of the patterns."""

    def find(self, value: Value | None, so_far: Found) -> Iterator[Found]:
        """Yields every way in which a value matches, given what is bound so far."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Any(Pattern):
    """Any value, bound to a name; the same name must be the same value everywhere."""

    name: str

    def find(self, value: Value | None, so_far: Found) -> Iterator[Found]:
        """Yields the binding."""
        bound = None if value is None else so_far.bind(self.name, value)
        if bound is not None:
            yield bound


@dataclasses.dataclass(frozen=True)
class Scalar(Pattern):
    """A constant of one element: near a number (rtol 1e-4: exporters round), or any, bound to a name."""

    number: float | None = None
    name: str = ""

    def find(self, value: Value | None, so_far: Found) -> Iterator[Found]:
        """Yields the binding."""
        found = scalar(value)
        if value is None or found is None:
            return
        if self.number is not None and not math.isclose(found, self.number, rel_tol=1e-4, abs_tol=1e-12):
            return
        bound = so_far.bind(self.name, value) if self.name else so_far
        if bound is not None:
            yield bound


@dataclasses.dataclass(frozen=True)
class Op(Pattern):
    """A node by op, operands and attributes."""

    op: str
    operands: tuple[Pattern, ...]
    attrs: tuple[tuple[str, AnyType], ...] = ()
    commutative: bool = False

    def find(self, value: Value | None, so_far: Found) -> Iterator[Found]:
        """Yields the matches of the operands, in both orders where the op commutes."""
        node = None if value is None else value.producer
        if node is None or node.op != self.op or node.outputs[0] is not value:
            return
        if any(node.attrs.get(k) != v for k, v in self.attrs):
            return
        if not is_plain(node):
            return
        orders = [self.operands, self.operands[::-1]] if self.commutative else [self.operands]
        for order in orders:
            yield from _find_all(order, node, so_far.cover(node), 0)


@dataclasses.dataclass(frozen=True)
class Or(Pattern):
    """Any of several patterns."""

    choices: tuple[Pattern, ...]

    def find(self, value: Value | None, so_far: Found) -> Iterator[Found]:
        """Yields the matches of each choice."""
        for p in self.choices:
            yield from p.find(value, so_far)


@dataclasses.dataclass(frozen=True)
class Named(Pattern):
    """A pattern whose value is also bound to a name."""

    name: str
    pattern: Pattern

    def find(self, value: Value | None, so_far: Found) -> Iterator[Found]:
        """Yields the matches with the name bound."""
        for found in self.pattern.find(value, so_far):
            bound = None if value is None else found.bind(self.name, value)
            if bound is not None:
                yield bound


def _find_all(patterns: tuple[Pattern, ...], node: Node, so_far: Found, i: int) -> Iterator[Found]:
    if i == len(patterns):
        yield so_far
        return
    for found in patterns[i].find(node.input(i), so_far):
        yield from _find_all(patterns, node, found, i + 1)


def U(kind: str, x: Pattern) -> Pattern:  # noqa: N802 (reads as the formula it stands for)
    """A unary node."""
    return Op("unary", (x,), (("kind", kind),))


def B(kind: str, a: Pattern, b: Pattern) -> Pattern:  # noqa: N802
    """A binary node; add and mul match in both orders."""
    return Op("binary", (a, b), (("kind", kind),), kind in _COMMUTATIVE)


def match(pattern: Pattern, value: Value) -> Found | None:
    """Returns the first match of a pattern at a value, or None."""
    return next(pattern.find(value, Found({})), None)


def is_private(editor: Editor, found: Found) -> bool:
    """Whether nothing outside a match reads the values inside it, so that replacing the root frees them all."""
    covered = set(found.nodes)
    for node in found.nodes[1:]:
        for v in node.outputs:
            if v is not None and (editor.is_output(v) or any(u not in covered for u in editor.users(v))):
                return False
    return True
