# SPDX-License-Identifier: Apache-2.0
"""Attention: scaled dot-product attention in one op (made by the passes from MatMul, Add, Softmax, MatMul)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.graph import Node
from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case, OpDef, register


@register
class Attention(OpDef):
    """y = softmax(scale * q k^T + mask) v.

    q [..., s, d], k [..., t, d], v [..., t, e] with equal leading dims, mask? broadcast to [..., s, t].
    score = scale * chain(q, k) + mask, where chain is fused multiply-adds in ascending d from +0 and the product and
    the sum round; the softmax is that of the softmax op over t; y is the chain over ascending t from +0.
    """

    name = "attention"
    inputs = ("q", "k", "v", "mask?")
    defaults = {"scale": 1.0}

    def infer(
        self, q: TensorType, k: TensorType, v: TensorType, mask: TensorType | None = None, **attrs: Any
    ) -> TensorType:
        """Returns float32 [..., s, e]."""
        for x in (q, k, v, *([] if mask is None else [mask])):
            if x.dtype is not DType.FLOAT32:
                raise self.error("dtype", found=x.dtype.label, expected="float32")
        if not 2 <= q.rank == k.rank == v.rank:
            raise self.error("operands", found=f"{q}, {k}, {v}", expected="the same rank of at least 2")
        for a, b in [*zip(q.shape[:-2], k.shape[:-2], strict=True), *zip(k.shape[:-1], v.shape[:-1], strict=True),
                     (q.shape[-1], k.shape[-1])]:  # fmt: skip
            if isinstance(a, int) and isinstance(b, int) and a != b:
                raise self.error(
                    "operands", found=f"{q}, {k}, {v}", expected="q [..., s, d], k [..., t, d], v [..., t, e]"
                )
        y = TensorType(q.dtype, (*q.shape[:-1], v.shape[-1]))
        scores = (*q.shape[:-1], k.shape[-2])
        if mask is not None:
            fits = mask.rank <= len(scores) and all(
                m == 1 or m == s or isinstance(m, str) or isinstance(s, str)
                for m, s in zip(mask.shape[::-1], scores[::-1], strict=False)
            )
            if not fits:
                raise self.error("mask", found=mask, expected=f"one that broadcasts to {list(scores)}")
        return y

    def reference(
        self, q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray | None = None, *, scale: float
    ) -> np.ndarray:
        """Computes in float64."""
        scores = np.float32(scale) * (q.astype(np.float64) @ k.astype(np.float64).swapaxes(-1, -2))
        scores = scores if mask is None else scores + mask
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores = scores / scores.sum(axis=-1, keepdims=True)
        return np.asarray(scores @ v.astype(np.float64), np.float32)

    def macs(self, node: Node) -> int:
        """Returns those of both products."""
        q, k, v = node.inputs[:3]
        if q is None or k is None or v is None or not (q.type.is_static and k.type.is_static and v.type.is_static):
            return 0
        return q.type.elements * int(k.shape[-2]) + q.type.elements // max(int(q.shape[-1]), 1) * int(
            k.shape[-2]
        ) * int(v.shape[-1])

    def cases(self) -> list[Case]:
        """One query (a decoder's step), tails everywhere, masks of every broadcast."""

        def case(q: tuple[int, ...], t: int, e: int, mask: Any = None, scale: float = 0.125) -> Case:
            inputs: list[Any] = [q, (*q[:-2], t, q[-1]), (*q[:-2], t, e)]
            return Case(
                inputs + ([] if mask is None else [mask]), {"scale": scale}, rtol=2e-5, atol=1e-5, why="exp and sums"
            )

        causal = np.triu(np.full((19, 19), -np.inf, np.float32), 1)
        return [
            case((2, 4, 19, 16), 19, 16),
            case((2, 3, 19, 16), 19, 24, causal),
            case((1, 8, 1, 32), 77, 32, (1, 1, 1, 77)),
            case((5, 33), 47, 7),
            case((2, 3, 7, 5), 13, 3, (2, 1, 7, 13)),
            case((2, 3, 7, 5), 13, 3, (2, 3, 1, 13), scale=0.3),
            case((1, 2, 64, 64), 64, 64),
            case((3, 1, 1), 1, 1),
            case((2, 197, 16), 197, 16),
        ]
