# SPDX-License-Identifier: Apache-2.0
"""Einsum as transposes, sums and one batched matrix product per further operand."""

from __future__ import annotations

from tealight.frontends.onnx.context import NodeContext, RefusedError, ShapeItem
from tealight.frontends.onnx.registry import converts
from tealight.ir.graph import Value


@converts("Einsum", since=12)
def einsum(c: NodeContext) -> Value:
    """Einsum of any number of operands; a label may be repeated within one operand only for its diagonal sum."""
    operands = [c.input(i) for i in range(len(c.inputs))]
    terms, result = _parse(c.text("equation"), [len(v.shape) for v in operands])
    x, labels = _diagonal(c, operands[0], terms[0])
    for i in range(1, len(operands)):
        later = set(result).union(*terms[i + 1 :])
        y, other = _diagonal(c, operands[i], terms[i])
        x, labels = _contract(c, (x, labels), (y, other), later)
    x, labels = _sum_out(c, x, labels, set(result))
    return c.transpose(x, [labels.index(label) for label in result])


def _parse(equation: str, ranks: list[int]) -> tuple[list[list[str]], list[str]]:
    """Returns the labels of each operand and of the result; "..." becomes labels "0", "1" … from the right."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    inputs = left.split(",")
    if len(inputs) != len(ranks):
        raise RefusedError(f"equation '{equation}' for {len(ranks)} operands, expected as many terms")
    widest = 0
    terms: list[list[str]] = []
    for text, rank in zip(inputs, ranks, strict=True):
        head, dots, tail = text.partition("...")
        extra = rank - len(head) - len(tail)
        if extra < 0 or (extra and not dots):
            raise RefusedError(f"term '{text}' for an operand of rank {rank}, expected a label per dim")
        widest = max(widest, extra)
        terms.append([*head, *[str(i) for i in reversed(range(extra))], *tail])
    batch = [str(i) for i in reversed(range(widest))]
    if arrow:
        head, dots, tail = right.partition("...")
        return terms, [*head, *(batch if dots else []), *tail]
    seen = [label for term in terms for label in term]
    return terms, batch + sorted(s for s in set(seen) if s.isalpha() and seen.count(s) == 1)


def _diagonal(c: NodeContext, x: Value, labels: list[str]) -> tuple[Value, list[str]]:
    """Takes the diagonal over labels that appear twice."""
    for label in sorted({s for s in labels if labels.count(s) > 1}):
        first, second = [i for i, s in enumerate(labels) if s == label][:2]
        size = c.static(x, first, "size of a repeated label")
        rest = [i for i in range(len(labels)) if i not in (first, second)]
        moved = c.transpose(x, [*rest, first, second])
        flat = c.reshape(moved, [*[c.dim(x, i) for i in rest], size * size])
        x = c.add("gather", [flat, c.int64s([i * (size + 1) for i in range(size)])], {"axis": len(rest)})
        labels = [*[labels[i] for i in rest], label]
    return x, labels


def _sum_out(c: NodeContext, x: Value, labels: list[str], keep: set[str]) -> tuple[Value, list[str]]:
    """Sums over labels that nobody needs."""
    gone = [i for i, label in enumerate(labels) if label not in keep]
    if gone:
        x = c.reduce("sum", x, gone, keepdims=False)
    return x, [label for label in labels if label in keep]


def _contract(
    c: NodeContext, a: tuple[Value, list[str]], b: tuple[Value, list[str]], later: set[str]
) -> tuple[Value, list[str]]:
    """Returns the product of two operands, summed over shared labels that are not needed later."""
    x, la = _sum_out(c, *a, later | set(b[1]))
    y, lb = _sum_out(c, *b, later | set(a[1]))
    batch = [s for s in la if s in lb and s in later]
    summed = [s for s in la if s in lb and s not in later]
    m, n = [s for s in la if s not in lb], [s for s in lb if s not in la]
    if not summed and not (m and n):  # elementwise with broadcasting
        order = [*batch, *m, *n]
        return c.binary("mul", _aligned(c, x, la, order), _aligned(c, y, lb, order)), order

    def sizes(value: Value, labels: list[str], group: list[str]) -> list[ShapeItem]:
        return [c.dim(value, labels.index(s)) for s in group]

    def joined(items: list[ShapeItem]) -> list[ShapeItem]:
        if len(items) == 1:
            return items
        total = 1
        for item in items:
            if not isinstance(item, int):
                raise RefusedError("several dynamic dims are joined, expected fixed dims", "fix the input shapes")
            total *= item
        return [total]

    def xs(group: list[str]) -> list[ShapeItem]:
        return sizes(x, la, group)

    def ys(group: list[str]) -> list[ShapeItem]:
        return sizes(y, lb, group)

    left = c.transpose(x, [la.index(s) for s in [*batch, *m, *summed]])
    right = c.transpose(y, [lb.index(s) for s in [*batch, *summed, *n]])
    left = c.reshape(left, [*xs(batch), *joined(xs(m)), *joined(xs(summed))])
    right = c.reshape(right, [*ys(batch), *joined(ys(summed)), *joined(ys(n))])
    product = c.add("matmul", [left, right], {"alpha": 1.0})
    lead = [yd if xd == 1 else xd for xd, yd in zip(xs(batch), ys(batch), strict=True)]
    return c.reshape(product, [*lead, *xs(m), *ys(n)]), [*batch, *m, *n]


def _aligned(c: NodeContext, x: Value, labels: list[str], order: list[str]) -> Value:
    """Returns x with a dim (1 where it lacks the label) for every label of order."""
    present = [s for s in order if s in labels]
    x = c.transpose(x, [labels.index(s) for s in present])
    return c.reshape(x, [c.dim(x, present.index(s)) if s in present else 1 for s in order])
