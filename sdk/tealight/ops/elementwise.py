# SPDX-License-Identifier: Apache-2.0
"""Elementwise: a chain of unary and binary float32 functions, computed tile by tile in one pass over memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops import binary, unary
from tealight.ops._broadcast import broadcast_shapes
from tealight.ops._registry import Case, OpDef, get, register

MAX_OPERANDS = 16
MAX_STEPS = 32
MAX_RESULTS = 8
UNARY_KINDS = tuple(k for k in unary.FUNCTIONS if k not in ("not_", "bitwise_not", "is_nan", "is_inf"))
BINARY_KINDS = tuple(
    k for k in binary.FUNCTIONS if DType.FLOAT32 in binary.dtypes_of(k) and k not in binary.COMPARISONS
)
_STEP = {"unary": "identity", "binary": "add", "is_binary": False, "a": 0, "b": -1, "alpha": 0.0, "beta": 0.0}


@register
class Elementwise(OpDef):
    """Registers 0 .. n-1 are the operands, register n+i the result of steps[i]; output j is register results[j].

    All float32. Every output has the broadcast shape of all operands. Each step is the function of `unary` or
    `binary` of the same name, to the bit.
    """

    name = "elementwise"
    inputs = ("x*",)
    outputs = ("y*",)
    required = ("steps", "results")
    in_place = True

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> Sequence[TensorType]:
        """Returns the broadcast shape for every result."""
        types = [x for x in inputs if x is not None]
        steps, results = attrs["steps"], attrs["results"]
        if not 1 <= len(inputs) <= MAX_OPERANDS or len(types) != len(inputs):
            raise self.error("operands", found=len(inputs), expected=f"1 to {MAX_OPERANDS}")
        if not 1 <= len(steps) <= MAX_STEPS or not 1 <= len(results) <= MAX_RESULTS:
            raise self.error(
                "steps", found=f"{len(steps)} with {len(results)} results",
                expected=f"1 to {MAX_STEPS} with 1 to {MAX_RESULTS} results",
            )  # fmt: skip
        for t in types:
            if t.dtype is not DType.FLOAT32:
                raise self.error("operand", found=t.dtype.label, expected="float32")
        for i, step in enumerate(steps):
            step = {**_STEP, **step}
            kind = step["binary"] if step["is_binary"] else step["unary"]
            if kind not in (BINARY_KINDS if step["is_binary"] else UNARY_KINDS):
                raise self.error(f"steps[{i}]", found=kind, expected="a function from float32 to float32")
            for key in ("a", "b") if step["is_binary"] else ("a",):
                if not 0 <= step[key] < len(types) + i:
                    raise self.error(f"steps[{i}].{key}", found=step[key], expected=f"in [0, {len(types) + i})")
        if any(not len(types) <= r < len(types) + len(steps) for r in results):
            raise self.error("results", found=results, expected=f"results of steps, from {len(types)} on")
        shape = broadcast_shapes(*(t.shape for t in types))
        if shape is None:
            raise self.error("operands", found=", ".join(map(str, types)), expected="shapes that broadcast")
        return [TensorType(DType.FLOAT32, shape)] * len(results)

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> Sequence[np.ndarray]:
        """Runs step after step."""
        registers = [np.asarray(x) for x in inputs]
        shape = np.broadcast_shapes(*(r.shape for r in registers))
        for step in attrs["steps"]:
            step = {**_STEP, **step}
            a = registers[step["a"]]
            if step["is_binary"]:
                y = get("binary").reference(a, registers[step["b"]], kind=step["binary"])
            else:
                y = get("unary").reference(a, kind=step["unary"], alpha=step["alpha"], beta=step["beta"])
            registers.append(np.asarray(y))
        return [np.array(np.broadcast_to(registers[r], shape)) for r in attrs["results"]]

    def cases(self) -> list[Case]:
        """Chains with shared registers, several results, every broadcast form, lengths around the tile."""

        def u(kind: str, a: int, alpha: float = 0.0, beta: float = 0.0) -> dict[str, Any]:
            return {**_STEP, "unary": kind, "a": a, "alpha": alpha, "beta": beta}

        def b(kind: str, first: int, second: int) -> dict[str, Any]:
            return {**_STEP, "binary": kind, "is_binary": True, "a": first, "b": second}

        swish = [u("sigmoid", 0), b("mul", 0, 1)]
        affine = [b("mul", 0, 1), b("add", 3, 2), u("relu", 4)]
        wide = [b("sub", 0, 1), u("square", 2), b("add", 3, 1), u("sqrt", 4), b("div", 2, 5)]
        cases = [Case([(n,)], {"steps": swish, "results": [2]}) for n in (1, 15, 1023, 1024, 1025, 5000)]
        shapes: list[list[tuple[int, ...]]] = [
            [(2, 9, 7, 35), (35,), (35,)], [(2, 9, 7, 35), (2, 1, 1, 35), ()], [(35,), (2, 9, 7, 35), (2, 9, 7, 1)],
            [(5, 1), (1, 7), (3, 1, 1)], [(3, 1500), (1,), (1500,)], [(0, 4), (4,), (1,)], [(), (), ()],
            [(2, 40, 2048), (2, 40, 1), (2048,)], [(2, 3, 4, 5, 6), (3, 1, 5, 1), (4, 1, 6)],
            [(2000, 3), (3,), (2000, 1)],
        ]  # fmt: skip
        cases += [Case([*s], {"steps": affine, "results": [5]}) for s in shapes]
        cases += [
            Case([(3, 700), (3, 1)], {"steps": wide, "results": [6, 2, 5]}, outputs=3, rtol=1e-5, atol=1e-5),
            Case([(3, 700), (700,)], {"steps": wide[:2], "results": [2, 2]}, outputs=2),
            Case([(7, 33)], {"steps": [b("add", 0, 0), b("mul", 1, 0), u("tanh", 2)], "results": [3, 1]}, outputs=2),
            Case([(3, 9), (3, 9)], {"steps": [u("exp", 0), u("clip", 2, 0.5, 2.0), b("pow", 3, 1)], "results": [4]}),
        ]
        return cases
