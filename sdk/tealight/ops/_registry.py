# SPDX-License-Identifier: Apache-2.0
"""OpDef: all that the desktop tools know of an op, and the registry of them.

An op is one class in one file of this folder. From it derive the support table, the parity tests on every backend,
shape inference, the reference engine and the quantization rule.
"""

from __future__ import annotations

import dataclasses
import importlib
import pathlib
import pkgutil
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from tealight.errors import TealightError
from tealight.ir.graph import Node
from tealight.ir.types import Layout, TensorType


@dataclasses.dataclass
class Case:
    """One parity test: operands, attributes and the tolerance against another engine.

    Attributes:
        inputs: Arrays, or shapes (filled with seeded normal float32 values); None for an absent operand.
        attrs: Attributes.
        constants: Indices of the operands that are constants of the bundle (weights, shapes, axes).
        rtol: Relative tolerance of float results against reference(); 0 = equal.
        atol: Absolute tolerance.
        why: The reason for the tolerances.
        outputs: How many results to ask for.
    """

    inputs: Sequence[np.ndarray | tuple[int, ...] | None]
    attrs: dict[str, Any] = dataclasses.field(default_factory=dict)
    constants: tuple[int, ...] = ()
    rtol: float = 1e-5
    atol: float = 1e-6
    why: str = "float32 rounding in another order of summation"
    outputs: int = 1


class OpDef:
    """Base of the op definitions.

    Attributes:
        name: The op's name: its attribute table in ops.fbs in snake_case.
        inputs: Operand names; a trailing "?" marks an optional one, a trailing "*" a variadic last one.
        outputs: Result names, with the same marks.
        defaults: Attribute defaults; an attribute without one must be given.
        host_inputs: Operands whose values decide result shapes (equal to OpKernel::host_inputs).
        data_dependent: Result shapes are known only after a run.
        in_place: Result 0 may overwrite an operand of as many elements of the same size (equal to OpKernel::in_place).
        layouts: Packed layout of constant operands, by operand name.
    """

    name: ClassVar[str]
    inputs: ClassVar[tuple[str, ...]]
    outputs: ClassVar[tuple[str, ...]] = ("y",)
    defaults: ClassVar[dict[str, Any]] = {}
    required: ClassVar[tuple[str, ...]] = ()
    host_inputs: ClassVar[tuple[str, ...]] = ()
    data_dependent: ClassVar[bool] = False
    in_place: ClassVar[bool] = False
    layouts: ClassVar[dict[str, Layout]] = {}

    # ---- what a definition writes ----

    def infer(self, *inputs: Any, **attrs: Any) -> TensorType | Sequence[TensorType]:
        """Returns the result types; raises self.error(...) when the operands do not fit."""
        raise NotImplementedError

    def reference(self, *inputs: Any, **attrs: Any) -> np.ndarray | Sequence[np.ndarray]:
        """Computes the results with NumPy: the readable definition."""
        raise NotImplementedError

    def cases(self) -> list[Case]:
        """Returns the parity cases."""
        raise NotImplementedError

    def macs(self, node: Node) -> int:
        """Returns the multiply-accumulates of one run; 0 for ops that do none."""
        return 0

    def layout(self, node: Node, operand: str) -> Layout:
        """Returns the packed layout of a constant operand; overridden where it depends on the node."""
        return self.layouts.get(operand, Layout.PLAIN)

    def layout_groups(self, node: Node) -> int:
        """Returns how many groups dim 0 of the packed operands has."""
        return 1

    # ---- what the tools call ----

    def operand_name(self, i: int) -> str:
        """Returns the name of operand i without its mark; a variadic last one repeats."""
        return self.inputs[min(i, len(self.inputs) - 1)].rstrip("?*") if self.inputs else ""

    def complete(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Returns attrs with the defaults filled in; raises when one is unknown or missing."""
        known = {*self.defaults, *self.required}
        for key in attrs:
            if key not in known:
                raise TealightError(f"{self.name}: attribute {key!r}, expected one of {sorted(known)}", op=self.name)
        for key in self.required:
            if key not in attrs:
                raise TealightError(f"{self.name}: attribute {key!r} is missing, expected a value", op=self.name)
        return {**self.defaults, **attrs}

    def infer_node(self, node: Node) -> list[TensorType]:
        """Returns the result types of a node; errors carry its name."""
        try:
            result = self.infer(*[None if v is None else v.type for v in node.inputs], **self.extras(node))
        except TealightError as e:
            e.node, e.op = node.name, node.op
            raise
        return [result] if isinstance(result, TensorType) else list(result)

    def extras(self, node: Node) -> dict[str, Any]:
        """Returns what infer() gets as keywords: the attributes (control flow adds its subgraphs)."""
        return node.attrs

    def error(self, what: str, *, found: Any, expected: Any, fix: str = "") -> TealightError:
        """Returns an error in the message grammar of errors.py."""
        return TealightError(
            f"{self.name} {what}: {found}, expected {expected}{'; ' + fix if fix else ''}", op=self.name
        )

    def normal_axis(self, axis: int, rank: int) -> int:
        """Returns the axis in [0, rank); raises the op's error when there is no such axis."""
        if not -rank <= axis < rank:
            raise self.error("axis", found=axis, expected=f"in [{-rank}, {rank})")
        return axis % rank


_REGISTRY: dict[str, OpDef] = {}


def register(cls: type[OpDef]) -> type[OpDef]:
    """Class decorator: adds the op to the registry."""
    if cls.name in _REGISTRY:
        raise ValueError(f"op {cls.name!r} is defined twice")
    _REGISTRY[cls.name] = cls()
    return cls


def load_all() -> None:
    """Imports every op file of this folder."""
    for module in sorted(m.name for m in pkgutil.iter_modules([str(pathlib.Path(__file__).parent)])):
        if not module.startswith("_"):
            importlib.import_module(f"tealight.ops.{module}")


def get(name: str) -> OpDef:
    """Returns the definition of an op; raises TealightError when there is none."""
    if name not in _REGISTRY:
        raise TealightError(f"op {name!r}: not defined, expected one of {names()}", op=name)
    return _REGISTRY[name]


def names() -> list[str]:
    """Returns the names of all ops, sorted."""
    return sorted(_REGISTRY)
