# SPDX-License-Identifier: Apache-2.0
"""DynamicRnn: recurrent layers with int8 weights, inputs and states quantized while running."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tealight.ir.graph import Node
from tealight.ir.types import DType, Layout, TensorType
from tealight.ops._dynamic import quantize_rows
from tealight.ops._quantized import check_channels
from tealight.ops._registry import Case, OpDef, get, register
from tealight.ops.rnn import step_through


@register
class DynamicRnn(OpDef):
    """Rnn whose products are those of dynamic_fully_connected.

    As rnn, but w int8 [d*g*h, i], r int8 [d*g*h, h] and their scales float32 [d*g*h]. Each row of x, and before each
    step each row of h (in a GRU without linear_before_reset also of reset * h) is quantized by its own range; a gate
    gets fma(float(sum), row_scale * scale, bias) of both products.
    """

    name = "dynamic_rnn"
    inputs = (
        "x", "w", "r", "w_scale", "r_scale", "bias?", "sequence_lens?", "initial_h?", "initial_c?", "peepholes?"
    )  # fmt: skip
    outputs = ("y?", "y_h?", "y_c?")
    required = ("kind", "hidden_size", "activations")
    defaults = {
        "direction": "forward", "linear_before_reset": False, "clip": 0.0, "input_forget": False, "cell_clip": 0.0
    }  # fmt: skip
    layouts = {
        "w": Layout.GEMM_N32K4, "r": Layout.GEMM_N32K4, "w_scale": Layout.PAD_N32, "r_scale": Layout.PAD_N32
    }  # fmt: skip

    def layout_groups(self, node: Node) -> int:
        """Returns one group per direction."""
        return 2 if node.attrs["direction"] == "bidirectional" else 1

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> Sequence[TensorType]:
        """Returns y, y_h and, for an LSTM, y_c."""
        x, w, r, w_scale, r_scale, *rest = (*inputs, *[None] * 5)[:10]
        assert x is not None and w is not None and r is not None and w_scale is not None and r_scale is not None
        for name, weight, scale in (("w", w, w_scale), ("r", r, r_scale)):
            if weight.dtype is not DType.INT8:
                raise self.error(name, found=weight.dtype.label, expected="int8")
            check_channels(self.error, f"{name}_scale", scale, DType.FLOAT32, weight.shape[0])
        floats = [TensorType(DType.FLOAT32, t.shape) for t in (w, r)]
        return list(get("rnn").infer(x, *floats, *rest, **attrs, block_size=0))  # type: ignore[arg-type]

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> Sequence[np.ndarray]:
        """Integer products, gates in float64."""
        x, w, r, w_scale, r_scale, *rest = (*inputs, *[None] * 5)[:10]
        assert x is not None and w is not None and r is not None and w_scale is not None and r_scale is not None

        def product(rows: np.ndarray, weight: np.ndarray) -> np.ndarray:
            q, scale = weight[:, :-1], weight[:, -1]
            steps, row_scale, _ = quantize_rows(rows.astype(np.float32))
            return np.asarray((steps @ q.T) * (row_scale * scale.astype(np.float32)).astype(np.float64))

        wide = [
            np.concatenate([a.astype(np.float64), s[:, None].astype(np.float64)], axis=1)
            for a, s in ((w, w_scale), (r, r_scale))
        ]
        return step_through(x, wide[0], wide[1], rest, attrs, product)

    def macs(self, node: Node) -> int:
        """Returns both products of every step."""
        return get("rnn").macs(node)

    def cases(self) -> list[Case]:
        """The cases of rnn with rounded weights."""
        cases = []
        for case in get("rnn").cases():
            x, w, r, *rest = case.inputs
            if not isinstance(w, np.ndarray) or not isinstance(r, np.ndarray) or w.dtype != np.float32:
                continue
            inputs: list[Any] = [x]
            scales = []
            for weight in (w, r):
                scale = (np.abs(weight).max(axis=1, initial=1e-3) / 127).astype(np.float32)
                inputs.append(np.rint(weight / scale[:, None]).astype(np.int8))
                scales.append(scale)
            inputs += [*scales, *rest]
            constants = tuple(i for i in (1, 2, 3, 4, 5, 9) if i < len(inputs) and inputs[i] is not None)
            why = "a gate that differs by an ulp can move a rounding of h"
            cases.append(Case(inputs, dict(case.attrs), constants, 1e-3, 2e-2, why, case.outputs))
        return cases
