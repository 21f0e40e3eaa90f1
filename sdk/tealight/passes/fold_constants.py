# SPDX-License-Identifier: Apache-2.0
"""Computes at build time what depends on constants only."""

from __future__ import annotations

import numpy as np

from tealight import ops
from tealight.errors import TealightError
from tealight.ir.graph import Graph, Node
from tealight.ir.interpret import evaluate_node
from tealight.ir.types import DType
from tealight.ops._dequantized import DequantizedConstant
from tealight.passes._editor import Editor, dequantized, out
from tealight.passes._manager import Options


def fold_constants(graph: Graph, options: Options) -> int:
    """Replaces nodes whose results are known by constants.

    Given:
        %a = binary(const [2, 3], const [4, 5], kind=add)
        %s = shape(%x: float32[1, h, 8], start=2)
    Result:
        const [6, 8]; const [8]
    Given:
        %w = dequantize(const int8 [8, 3], const [3], axis=1); %y = transpose(%w, perm=[1, 0])
    Result:
        %y = dequantize(const int8 [3, 8], const [3], axis=0)
    Keeps:
        dequantize: integer kernels want its operands.
        A node that reads nothing but constants and makes more bytes than both it reads and the limit of the options
        (expand, constant_of_shape …).
    """
    editor = Editor(graph)
    for node in editor.nodes():
        if node.subgraphs or not node.outputs or node.op == "dequantize" or _rearrange(editor, node):
            continue
        arrays = _results(node, options)
        if arrays is None:
            continue
        constants = [None if v is None else editor.const(a, v.name) for v, a in zip(node.outputs, arrays, strict=False)]
        pairs = [(v, c) for v, c in zip(node.outputs, constants, strict=False) if v is not None and c is not None]
        if all(editor.can_replace(v, c) for v, c in pairs):
            for v, c in pairs:
                editor.replace(v, c)
            editor.remove(node)
            editor.rewrites += 1
    return editor.rewrites


def _rearrange(editor: Editor, node: Node) -> bool:
    """Moves a transpose or reshape of a constant that is kept as integers into it; whether it did."""
    if node.op not in ("transpose", "reshape") or any(v is None or v.const is None for v in node.inputs[1:]):
        return False
    held, rest = DequantizedConstant.of(node.inputs[0]), [v.const for v in node.inputs[1:] if v is not None]
    definition = ops.get(node.op)
    moved = (
        None if held is None else held.rearranged(lambda a: np.asarray(definition.reference(a, *rest, **node.attrs)))
    )
    if moved is None:
        return False
    editor.swap(node, dequantized(editor, moved, out(node).name, before=node))
    return True


def _results(node: Node, options: Options) -> list[np.ndarray] | None:
    """Returns the results of a node when they are known and may become constants."""
    wanted = [v for v in node.outputs if v is not None]
    if all(v.type.const is not None for v in wanted):
        return [np.empty(0) if v is None or v.type.const is None else v.type.const for v in node.outputs]
    if any(v is not None and v.const is None for v in node.inputs):
        return None
    arrays = [None if v is None else v.const for v in node.inputs]
    read = sum(a.nbytes for a in arrays if a is not None)
    if all(v.type.is_static for v in wanted):
        made = sum(v.type.nbytes for v in wanted)
        if made > max(read, options.fold_limit_bytes):
            return None
    try:
        results = evaluate_node(node, arrays)
    except NotImplementedError:
        return None
    except (ValueError, IndexError, TypeError, MemoryError) as e:
        raise TealightError(
            f"{node.op} {node.name!r}: {e}, expected operands it can compute", node=node.name, op=node.op
        ) from e
    if sum(r.nbytes for r in results) > max(read, options.fold_limit_bytes):
        return None
    for v, r in zip(node.outputs, results, strict=False):
        if v is not None and DType.of(r.dtype) != v.dtype:
            raise TealightError(
                f"{node.op} {node.name!r}: reference() gave {r.dtype}, expected {v.dtype.label}",
                node=node.name,
                op=node.op,
            )
    return results
