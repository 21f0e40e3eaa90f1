# SPDX-License-Identifier: Apache-2.0
"""Cast: the same numbers in another dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case, OpDef, register

_NO_CAST = (DType.INT4, DType.UINT4)
_EXACT: dict[str, Any] = {"rtol": 0.0, "atol": 0.0, "why": "casts are defined to the bit"}


@register
class Cast(OpDef):
    """y = x as dtype `to` (a number of tl_dtype).

    float to integer: truncated toward zero, saturated to the range, NaN gives 0 (ONNX leaves these open).
    Integer to narrower integer: wraps around. To float: rounded to nearest even; to float16 and bfloat16 by way of
    float32 (float64 to float16 too). To bool: x != 0 (NaN is true). saturate: of no effect (it concerns float8).
    """

    name = "cast"
    inputs = ("x",)
    required = ("to",)
    defaults = {"saturate": True}

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns the shape of x."""
        (x,) = inputs
        assert x is not None
        to = attrs["to"]
        if not any(d.value == to for d in DType) or DType(to) in _NO_CAST:
            raise self.error("to", found=to, expected=f"one of {[d.value for d in DType if d not in _NO_CAST]}")
        if x.dtype in _NO_CAST:
            raise self.error("x", found=x.dtype.label, expected="a dtype of whole bytes")
        return TensorType(DType(to), x.shape)

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """NumPy's casts, with the open cases settled."""
        (x,) = inputs
        assert x is not None
        to = DType(attrs["to"])
        with np.errstate(all="ignore"):
            if to is DType.BOOL:
                return np.asarray(x != 0)
            if not DType.of(x.dtype).is_float or to.is_float:
                if to in (DType.FLOAT16, DType.BFLOAT16):
                    x = x.astype(np.float32)
                return x.astype(to.numpy)
            info = np.iinfo(to.numpy)
            wide = np.trunc(x.astype(np.float64))
            high = wide >= float(info.max)
            low = wide <= float(info.min)
            inside = np.where(high | low | np.isnan(wide), 0.0, wide).astype(to.numpy)
            return np.where(high, info.max, np.where(low, info.min, inside)).astype(to.numpy)

    def cases(self) -> list[Case]:
        """Every pair of dtypes over values that fit, overflow and are special."""
        rng = np.random.default_rng(14)
        floats = np.concatenate(
            [
                rng.standard_normal(523) * 10.0 ** rng.integers(-8, 22, 523),
                rng.integers(-300, 300, 40) + 0.5,
                [0.0, -0.0, np.nan, np.inf, -np.inf, 1e-45, 0.5, -0.5, 65504, 65520, 6e-8, 2.0**31, -(2.0**63)],
            ]
        )
        cases = []
        kinds = [d for d in DType if d not in _NO_CAST]
        for source in kinds:
            for to in kinds:
                if source.is_float:
                    with np.errstate(over="ignore"):
                        x = floats.astype(source.numpy)
                elif source is DType.BOOL:
                    x = rng.integers(0, 2, 77).astype(np.bool_)
                else:
                    info = np.iinfo(source.numpy)
                    x = rng.integers(info.min, info.max, 77, source.numpy, endpoint=True)
                    x[:4] = [0, 1, info.min, info.max]
                cases.append(Case([x], {"to": to.value}, **_EXACT))
        cases += [
            Case([(2, 3, 5)], {"to": DType.FLOAT16.value}, **_EXACT),
            Case([(0,)], {"to": DType.INT64.value}, **_EXACT),
            Case([()], {"to": DType.INT32.value}, **_EXACT),
            Case([(40001,)], {"to": DType.INT8.value}, **_EXACT),
        ]
        return cases
