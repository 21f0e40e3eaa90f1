# SPDX-License-Identifier: Apache-2.0
"""Finds activation functions that the source model spells out in arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any as AnyType

from tealight.ir.graph import Graph
from tealight.ir.types import DType
from tealight.passes._editor import Editor, out, scalar
from tealight.passes._manager import Options
from tealight.passes._match import Any, B, Found, Named, Or, Pattern, Scalar, U, is_private, match

_X = Any("x")


def _halved_product(gate: Pattern) -> Pattern:
    """0.5 * x * gate, in every association."""
    half = Scalar(0.5)
    return Or(
        (B("mul", _X, B("mul", gate, half)), B("mul", B("mul", _X, gate), half), B("mul", B("mul", _X, half), gate))
    )


_ERF_GATE = B(
    "add",
    U("erf", Or((B("div", _X, Scalar(math.sqrt(2))), B("mul", _X, Scalar(math.sqrt(0.5)))))),
    Scalar(1),
)
_CUBE = Or((B("pow", _X, Scalar(3)), B("mul", U("square", _X), _X)))
_ROOT = Scalar(math.sqrt(2 / math.pi))
_TANH_GATE = B(
    "add",
    U(
        "tanh",
        Or(
            (
                B("mul", B("add", _X, B("mul", _CUBE, Scalar(0.044715))), _ROOT),
                B("mul", B("mul", _X, _ROOT), B("add", B("mul", U("square", _X), Scalar(0.044715)), Scalar(1))),
            )
        ),
    ),
    Scalar(1),
)
_RAMP = B("add", _X, Scalar(3))  # clipped to [0, 6] by _is_ramp


def _kind(kind: str, **params: float) -> Callable[[Found], dict[str, AnyType] | None]:
    return lambda found: {"kind": kind, **params}


def _hard_sigmoid(found: Found) -> dict[str, AnyType] | None:
    """Checks the bounds of the clip of clip(x + 3, 0, 6) / 6."""
    clip = found["clipped"].producer
    assert clip is not None
    return {"kind": "hard_sigmoid", "alpha": 1 / 6, "beta": 0.5} if _bounds(clip.attrs) == (0, 6) else None


def _affine_hard_sigmoid(found: Found) -> dict[str, AnyType] | None:
    """clip(a x + b, 0, 1)."""
    a = scalar(found["a"]) if "a" in found.values else 1.0
    b = scalar(found["b"])
    root = found.nodes[0]
    return {"kind": "hard_sigmoid", "alpha": a, "beta": b} if _bounds(root.attrs) == (0, 1) else None


def _hard_swish(found: Found) -> dict[str, AnyType] | None:
    gate = found["gate"].producer
    assert gate is not None
    close = math.isclose(gate.attrs["alpha"], 1 / 6, rel_tol=1e-5) and gate.attrs["beta"] == 0.5
    return {"kind": "hard_swish"} if close else None


def _hard_swish_of_clip(found: Found) -> dict[str, AnyType] | None:
    return {"kind": "hard_swish"} if _hard_sigmoid(found) else None


def _leaky_relu(found: Found) -> dict[str, AnyType] | None:
    slope = scalar(found["slope"])
    return {"kind": "leaky_relu", "alpha": slope} if slope is not None and 0 < slope <= 1 else None


def _bounds(attrs: dict[str, AnyType]) -> tuple[float, float]:
    return float(attrs["alpha"]), float(attrs["beta"])


_CLIP6 = Named("clipped", U("clip", _RAMP))
_SIXTH = Scalar(1 / 6)
_HARD_SIGMOID = Named("gate", U("hard_sigmoid", _X))

#: (pattern, attributes of the unary it becomes, or None when a number does not fit). First match wins.
_TABLE: list[tuple[Pattern, Callable[[Found], dict[str, AnyType] | None]]] = [
    (_halved_product(_ERF_GATE), _kind("gelu")),
    (_halved_product(_TANH_GATE), _kind("gelu_tanh")),
    (B("mul", _X, U("sigmoid", _X)), _kind("silu")),
    (B("mul", _X, U("tanh", U("softplus", _X))), _kind("mish")),
    (U("log", B("add", U("exp", _X), Scalar(1))), _kind("softplus")),
    (U("log1p", U("exp", _X)), _kind("softplus")),
    (U("reciprocal", B("add", U("exp", U("neg", _X)), Scalar(1))), _kind("sigmoid")),
    (Or((B("div", B("mul", _X, _CLIP6), Scalar(6)), B("mul", B("mul", _X, _CLIP6), _SIXTH))), _hard_swish_of_clip),
    (Or((B("div", _CLIP6, Scalar(6)), B("mul", _CLIP6, _SIXTH))), _hard_sigmoid),
    (U("clip", B("add", B("mul", _X, Scalar(name="a")), Scalar(name="b"))), _affine_hard_sigmoid),
    (B("mul", _X, _HARD_SIGMOID), _hard_swish),
    (B("max", _X, B("mul", _X, Scalar(name="slope"))), _leaky_relu),
]


def recognise_activations(graph: Graph, options: Options) -> int:
    """Replaces the arithmetic of an activation function by one unary node.

    Given:
        %a = x / 1.4142135; %b = erf(%a) + 1; %y = x * (%b * 0.5)
    Result:
        %y = unary(%x, kind=gelu)
    Requires:
        The forms of simplify_arithmetic (constants on the right, square for x * x).
    Keeps:
        The arithmetic when something else reads a value inside it.
    """
    editor = Editor(graph)
    for node in editor.nodes():
        if node.op not in ("binary", "unary") or out(node).dtype != DType.FLOAT32:
            continue
        for pattern, attributes in _TABLE:
            found = match(pattern, out(node))
            attrs = None if found is None or not is_private(editor, found) else attributes(found)
            if found is not None and attrs is not None and found["x"].shape == out(node).shape:
                editor.swap(node, editor.add("unary", [found["x"]], attrs, before=node, name=node.name))
                break
    return editor.rewrites
