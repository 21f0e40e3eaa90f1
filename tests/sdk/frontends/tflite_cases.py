# SPDX-License-Identifier: Apache-2.0
"""One small .tflite model for each operator of the frontend and each of its forms, as data."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from sdk.frontends.tflite_builder import ModelBuilder

#: Scale and zero point.
Quant = tuple[Any, Any] | tuple[Any, Any, int]


@dataclasses.dataclass
class Operand:
    """An input (data None), constant or variable of a case; quantized where `quant` is given."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    data: Any = None
    quant: Quant | None = None
    low: float = -2.0
    high: float = 2.0
    is_variable: bool = False

    @property
    def is_input(self) -> bool:
        """Whether its elements are fed."""
        return self.data is None and not self.is_variable


@dataclasses.dataclass
class Case:
    """One operator with its operands, options and results.

    Attributes:
        op: The operator.
        operands: None where absent.
        results: Shapes, dtypes and quantization of the results.
        kind: Number of the options.
        options: Their values.
        steps: By how many steps of the result's scale a quantized result may differ from the judge's.
        version: Of the operator; the judge asks for it.
    """

    op: str
    operands: list[Operand | None]
    results: list[Operand]
    kind: int = 0
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    steps: int = 1
    version: int = 1
    name: str = ""

    def model(self) -> bytes:
        """Returns the file's bytes."""
        b = ModelBuilder()
        inputs, operands = [], []
        for i, o in enumerate(self.operands):
            if o is None:
                operands.append(-1)
                continue
            data = None if o.data is None else np.asarray(o.data, o.dtype).reshape(o.shape)
            operands.append(b.tensor(f"in{i}", o.dtype, o.shape, data, o.quant, is_variable=o.is_variable))
            if o.is_input:
                inputs.append(operands[-1])
        results = [b.tensor(f"out{i}", r.dtype, r.shape, None, r.quant) for i, r in enumerate(self.results)]
        b.op(self.op, operands, results, self.kind, self.version, **self.options)
        return b.finish(inputs, results)

    def feeds(self) -> dict[str, np.ndarray]:
        """Returns seeded inputs."""
        rng = np.random.default_rng(5)
        return {f"in{i}": random(rng, o) for i, o in enumerate(self.operands) if o is not None and o.is_input}


def random(rng: np.random.Generator, o: Operand) -> np.ndarray:
    """Returns elements of an operand: all integers of 8 bits, or numbers in [low, high)."""
    if o.dtype == "bool":
        return rng.integers(0, 2, o.shape).astype(bool)
    if o.dtype in ("int8", "uint8"):
        info = np.iinfo(o.dtype)
        return rng.integers(info.min, info.max + 1, o.shape).astype(o.dtype)
    return (rng.uniform(o.low, o.high, o.shape)).astype(o.dtype)


def f(*shape: int, **more: Any) -> Operand:
    """A float operand."""
    return Operand(shape, **more)


def q(*shape: int, scale: float = 0.03, zero: int = 3, **more: Any) -> Operand:
    """An int8 operand."""
    return Operand(shape, "int8", quant=(scale, zero), **more)


def u(*shape: int, scale: float = 0.03, zero: int = 131) -> Operand:
    """A uint8 operand."""
    return Operand(shape, "uint8", quant=(scale, zero))


def c(data: Any, dtype: str = "int32") -> Operand:
    """A constant."""
    array = np.asarray(data, dtype)
    return Operand(array.shape, dtype, array)


def weight(*shape: int, dtype: str = "float32", axis: int = 0, seed: int = 1) -> Operand:
    """A constant weight, int8 with a scale per index of `axis`."""
    rng = np.random.default_rng(seed)
    if dtype == "float32":
        return Operand(shape, dtype, rng.standard_normal(shape).astype(np.float32) * 0.3)
    scales = rng.uniform(0.005, 0.02, shape[axis]).astype(np.float32)
    return Operand(shape, dtype, rng.integers(-127, 128, shape), (scales, np.zeros(shape[axis], np.int64), axis))


def bias(w: Operand, x_scale: float = 0.03) -> Operand:
    """An int32 bias for a quantized weight."""
    assert w.quant is not None
    scale = np.asarray(w.quant[0], np.float32) * np.float32(x_scale)
    data = np.random.default_rng(9).integers(-500, 500, scale.size)
    return Operand((scale.size,), "int32", data, (scale, np.zeros(scale.size, np.int64), 0))


_SAME, _VALID = {"padding": 0}, {"padding": 1}
_ONE = {"stride_h": 1, "stride_w": 1}
_TWO = {"stride_h": 2, "stride_w": 2}
_BIAS = c([0.1, -0.2, 0.3, 0.4, -0.5], "float32")


def _convolutions() -> list[Case]:
    conv = {**_SAME, "stride_h": 2, "stride_w": 1, "activation": 1, "dilation_w": 1, "dilation_h": 1}
    wide = {**_VALID, **_ONE, "activation": 0, "dilation_w": 2, "dilation_h": 2}
    w = weight(5, 3, 3, 4, dtype="int8")
    legacy = Operand((5, 3, 3, 4), "uint8", np.random.default_rng(2).integers(0, 256, (5, 3, 3, 4)), (0.01, 121))
    legacy_bias = Operand((5,), "int32", [10, -20, 300, 0, 7], (0.0003, 0))
    return [
        Case("CONV_2D", [f(2, 7, 6, 4), weight(5, 3, 3, 4), _BIAS], [f(2, 4, 6, 5)], 1, conv),
        Case("CONV_2D", [f(1, 9, 8, 4), weight(5, 3, 3, 4), _BIAS], [f(1, 5, 4, 5)], 1, wide),
        Case("CONV_2D", [q(1, 7, 6, 4), w, bias(w)], [q(1, 4, 6, 5, scale=0.05, zero=-128)], 1, conv),
        Case("CONV_2D", [u(1, 7, 6, 4), legacy, legacy_bias], [u(1, 4, 6, 5, scale=0.02, zero=10)], 1, conv),
        Case(
            "CONV_2D",
            [f(1, 7, 6, 4), weight(6, 1, 1, 2), c([0.5] * 6, "float32")],
            [f(1, 7, 6, 6)],
            1,
            {**_VALID, **_ONE},
        ),
    ]


def _depthwise_convolutions() -> list[Case]:
    dw, dw2 = weight(1, 3, 3, 4, dtype="int8", axis=3), weight(1, 3, 2, 8, dtype="int8", axis=3)
    depth = {**_SAME, **_TWO, "depth_multiplier": 1, "activation": 3}
    return [
        Case("DEPTHWISE_CONV_2D", [f(1, 7, 6, 4), weight(1, 3, 3, 4)], [f(1, 4, 3, 4)], 2, depth),
        Case(
            "DEPTHWISE_CONV_2D",
            [f(1, 7, 6, 4), weight(1, 3, 2, 8), c([0.5] * 8, "float32")],
            [f(1, 7, 6, 8)],
            2,
            {**_SAME, **_ONE, "depth_multiplier": 2, "activation": 2},
        ),
        Case(
            "DEPTHWISE_CONV_2D",
            [q(1, 7, 6, 4), dw, bias(dw)],
            [q(1, 7, 6, 4, scale=0.04)],
            2,
            {**_SAME, **_ONE, "depth_multiplier": 1, "activation": 0},
        ),
        Case(
            "DEPTHWISE_CONV_2D",
            [q(1, 7, 6, 4), dw2, bias(dw2)],
            [q(1, 7, 6, 8, scale=0.04)],
            2,
            {**_SAME, **_ONE, "depth_multiplier": 2, "activation": 0},
        ),
    ]


def _transposed_convolutions() -> list[Case]:
    w = weight(5, 3, 3, 4, dtype="int8")
    return [
        Case(
            "TRANSPOSE_CONV",
            [c([1, 8, 10, 5]), weight(5, 3, 3, 4), f(1, 4, 5, 4)],
            [f(1, 8, 10, 5)],
            49,
            {**_SAME, **_TWO},
        ),
        Case(
            "TRANSPOSE_CONV",
            [c([1, 9, 11, 5]), weight(5, 3, 3, 4), f(1, 4, 5, 4), _BIAS],
            [f(1, 9, 11, 5)],
            49,
            {**_VALID, **_TWO},
        ),
        Case(
            "TRANSPOSE_CONV",
            [c([1, 8, 10, 5]), w, q(1, 4, 5, 4), bias(w)],
            [q(1, 8, 10, 5, scale=0.08)],
            49,
            {**_SAME, **_TWO},
        ),
    ]


def _products() -> list[Case]:
    fc = weight(5, 12, dtype="int8")
    fc1 = dataclasses.replace(fc, quant=(0.01, 0))
    return [
        Case("FULLY_CONNECTED", [f(3, 12), weight(5, 12), _BIAS], [f(3, 5)], 8, {"activation": 1}),
        Case("FULLY_CONNECTED", [f(2, 3, 12), weight(5, 12), None], [f(6, 5)], 8, {}),
        Case("FULLY_CONNECTED", [f(2, 3, 12), weight(5, 12), _BIAS], [f(2, 3, 5)], 8, {"keep_num_dims": True}),
        Case(
            "FULLY_CONNECTED",
            [q(3, 12), fc1, Operand((5,), "int32", [3, -4, 500, 60, 7], (0.0003, 0))],
            [q(3, 5, scale=0.03)],
            8,
            {},
        ),
        Case("FULLY_CONNECTED", [q(3, 12), fc, bias(fc)], [q(3, 5, scale=0.03)], 8, {"activation": 1}),
        Case("BATCH_MATMUL", [f(2, 3, 4), f(2, 4, 5)], [f(2, 3, 5)], 101, {}),
        Case("BATCH_MATMUL", [f(2, 3, 4), f(2, 5, 4)], [f(2, 3, 5)], 101, {"adj_y": True}),
        Case("BATCH_MATMUL", [q(2, 3, 4), q(2, 4, 5)], [q(2, 3, 5, scale=0.05)], 101, {}),
    ]


def _pools() -> list[Case]:
    return [
        Case(
            "MAX_POOL_2D", [f(1, 7, 6, 3)], [f(1, 4, 3, 3)], 5, {**_SAME, **_TWO, "filter_height": 3, "filter_width": 2}
        ),
        Case(
            "MAX_POOL_2D",
            [q(1, 7, 6, 3)],
            [q(1, 3, 3, 3)],
            5,
            {**_VALID, **_TWO, "filter_height": 2, "filter_width": 2},
            steps=0,
        ),
        Case(
            "AVERAGE_POOL_2D",
            [f(1, 7, 6, 3)],
            [f(1, 4, 3, 3)],
            5,
            {**_SAME, **_TWO, "filter_height": 3, "filter_width": 3, "activation": 1},
        ),
        Case(
            "AVERAGE_POOL_2D",
            [q(1, 7, 6, 3)],
            [q(1, 4, 3, 3)],
            5,
            {**_SAME, **_TWO, "filter_height": 3, "filter_width": 3},
        ),
        Case(  # a quarter of the means are ties
            "AVERAGE_POOL_2D",
            [q(1, 8, 6, 5)],
            [q(1, 4, 3, 5)],
            5,
            {**_VALID, **_TWO, "filter_height": 2, "filter_width": 2},
            steps=0,
        ),
    ]


_POSITIVE = {"low": 0.1, "high": 3.0}


def _functions() -> list[Case]:
    unary = [
        "RELU",
        "RELU6",
        "RELU_N1_TO_1",
        "LOGISTIC",
        "TANH",
        "HARD_SWISH",
        "ELU",
        "EXP",
        "ABS",
        "NEG",
        "SQUARE",
        "FLOOR",
        "CEIL",
        "ROUND",
        "SIN",
        "COS",
        "SIGN",
    ]
    cases = [Case(op, [f(2, 37, low=-8, high=8)], [f(2, 37)]) for op in unary]
    cases += [Case(op, [f(2, 37, **_POSITIVE)], [f(2, 37)]) for op in ("LOG", "SQRT", "RSQRT")]
    quantized = {
        "RELU": (0.03, -128),
        "RELU6": (0.03, -128),
        "HARD_SWISH": (0.03, -10),
        "ELU": (0.03, 3),
        "LOGISTIC": (1 / 256, -128),
        "TANH": (1 / 128, 0),
    }
    cases += [Case(op, [q(300)], [q(300, scale=s, zero=z)]) for op, (s, z) in quantized.items()]
    return cases


def _pairs() -> list[Case]:
    cases = []
    for op, kind in (("ADD", 11), ("SUB", 28), ("MUL", 21)):
        options = {"activation": 1}
        cases += [
            Case(op, [f(2, 3, 5), f(5)], [f(2, 3, 5)], kind, options),
            Case(
                op,
                [q(2, 3, 50), q(2, 3, 50, scale=0.05, zero=-20)],
                [q(2, 3, 50, scale=0.07, zero=-100)],
                kind,
                options,
            ),
            Case(op, [u(2, 30), u(2, 30, scale=0.02)], [u(2, 30, scale=0.06, zero=120)], kind, {"activation": 0}),
        ]
    cases += [
        Case("DIV", [f(2, 9), f(2, 9, **_POSITIVE)], [f(2, 9)], 29, {}),
        Case("POW", [f(2, 9, **_POSITIVE), f(2, 9)], [f(2, 9)]),
        Case("MAXIMUM", [f(2, 9), f(1, 9)], [f(2, 9)]),
        Case("MINIMUM", [q(2, 9), q(1, 9)], [q(2, 9)]),
        Case("SQUARED_DIFFERENCE", [f(2, 9), f(9)], [f(2, 9)]),
        Case("ADD_N", [f(2, 9), f(2, 9), f(2, 9)], [f(2, 9)]),
        Case("FLOOR_DIV", [f(9, high=20), f(9, **_POSITIVE)], [f(9)]),
        Case("FLOOR_MOD", [f(9, high=20), f(9, **_POSITIVE)], [f(9)]),
        Case("LEAKY_RELU", [f(2, 9)], [f(2, 9)], 75, {"alpha": 0.1}),
        Case("LEAKY_RELU", [q(300)], [q(300, scale=0.02)], 75, {"alpha": 0.1}),
        Case("PRELU", [f(1, 3, 4, 5), weight(1, 1, 5)], [f(1, 3, 4, 5)]),
        Case("GELU", [f(50, low=-4, high=4)], [f(50)], 116, {"approximate": False}),
        Case("GELU", [f(50, low=-4, high=4)], [f(50)], 116, {"approximate": True}),
    ]
    return cases


def _types() -> list[Case]:
    return [
        Case("QUANTIZE", [f(300, low=-5, high=5)], [q(300)]),
        Case("QUANTIZE", [q(300)], [q(300, scale=0.05, zero=-7)]),
        Case("QUANTIZE", [u(300)], [q(300, scale=0.03, zero=3)]),
        Case("DEQUANTIZE", [q(300)], [f(300)]),
        Case("DEQUANTIZE", [Operand((4,), "float16", [1, 2, -3, 0.1])], [f(4)]),
        Case("CAST", [f(30, low=-50, high=50)], [Operand((30,), "int32")], 37, {"in_type": 0, "out_type": 2}),
        Case("EQUAL", [f(9), f(9)], [Operand((9,), "bool")]),
        Case("NOT_EQUAL", [f(9), f(9)], [Operand((9,), "bool")]),
        Case("LESS", [f(9), f(1)], [Operand((9,), "bool")]),
        Case("LOGICAL_AND", [Operand((9,), "bool"), Operand((9,), "bool")], [Operand((9,), "bool")]),
        Case("LOGICAL_NOT", [Operand((9,), "bool")], [Operand((9,), "bool")]),
        Case("SELECT", [Operand((3,), "bool"), f(3, 2), f(3, 2)], [f(3, 2)]),
        Case("SELECT_V2", [Operand((3, 1), "bool"), f(3, 2), f(1, 2)], [f(3, 2)]),
        Case("ZEROS_LIKE", [f(3, 2)], [f(3, 2)]),
        Case("SHAPE", [f(3, 2)], [Operand((2,), "int32")], 55, {"out_type": 2}),
        Case("RANK", [f(3, 2)], [Operand((), "int32")]),
    ]


def _reductions() -> list[Case]:
    keep, drop = {"keep_dims": True}, {"keep_dims": False}
    cases = [
        Case(op, [f(2, 3, 4, 5), c([1, 2])], [f(2, 1, 1, 5)], 27, keep)
        for op in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD")
    ]
    cases += [
        Case("MEAN", [q(2, 6, 7, 5), c([1, 2])], [q(2, 5, scale=0.01)], 27, drop),
        Case("SUM", [q(2, 6, 5), c([-1])], [q(2, 6, scale=0.1)], 27, drop),
        Case("REDUCE_MAX", [q(2, 6, 7, 5), c([1, -2])], [q(2, 5)], 27, drop, steps=0),
        Case("REDUCE_ANY", [Operand((4, 2), "bool"), c([1])], [Operand((4,), "bool")], 27, drop),
        Case("ARG_MAX", [f(4, 9), c(1)], [Operand((4,), "int64")], 40, {"output_type": 4}),
        Case("ARG_MAX", [q(4, 9), c(-1)], [Operand((4,), "int32")], 40, {"output_type": 2}),
        Case("ARG_MIN", [f(4, 9), c(0)], [Operand((9,), "int32")], 57, {"output_type": 2}),
        Case("SOFTMAX", [f(4, 9)], [f(4, 9)], 9, {"beta": 1.0}),
        Case("SOFTMAX", [f(4, 9)], [f(4, 9)], 9, {"beta": 0.5}),
        Case("SOFTMAX", [q(4, 9, scale=0.1)], [q(4, 9, scale=1 / 256, zero=-128)], 9, {"beta": 1.0}),
        Case("SOFTMAX", [u(4, 9, scale=0.1)], [u(4, 9, scale=1 / 256, zero=0)], 9, {"beta": 1.0}),
        Case("LOG_SOFTMAX", [f(4, 9)], [f(4, 9)]),
        Case("L2_NORMALIZATION", [f(4, 9)], [f(4, 9)], 12, {}),
        Case(
            "LOCAL_RESPONSE_NORMALIZATION",
            [f(1, 2, 3, 9)],
            [f(1, 2, 3, 9)],
            13,
            {"radius": 2, "bias": 1.5, "alpha": 0.3, "beta": 0.5},
        ),
        Case("CUMSUM", [f(4, 9), c(1)], [f(4, 9)], 102, {"exclusive": True}),
        Case("TOPK_V2", [f(4, 9), c(3)], [f(4, 3), Operand((4, 3), "int32")]),
    ]
    return cases


def _shapes() -> list[Case]:
    return [
        Case("RESHAPE", [f(2, 6), c([3, -1])], [f(3, 4)]),
        Case("RESHAPE", [q(2, 6)], [q(12)], 17, {"new_shape": [12]}),
        Case("SQUEEZE", [f(1, 3, 1, 2)], [f(3, 2)], 30, {}),
        Case("SQUEEZE", [f(1, 3, 1, 2)], [f(1, 3, 2)], 30, {"squeeze_dims": [2]}),
        Case("EXPAND_DIMS", [f(3, 2), c(-1)], [f(3, 2, 1)]),
        Case("TRANSPOSE", [q(2, 3, 4), c([2, 0, 1])], [q(4, 2, 3)], steps=0),
        Case("CONCATENATION", [f(2, 3), f(2, 4)], [f(2, 7)], 10, {"axis": -1, "activation": 0}),
        Case("CONCATENATION", [q(2, 3), q(2, 4)], [q(2, 7)], 10, {"axis": 1, "activation": 0}, steps=0),
        Case("CONCATENATION", [u(2, 3), u(2, 4, scale=0.02)], [u(2, 7, scale=0.04)], 10, {"axis": 1}),
        Case("PACK", [f(2, 3), f(2, 3)], [f(2, 2, 3)], 59, {"values_count": 2, "axis": 1}),
        Case("UNPACK", [q(2, 3)], [q(2), q(2), q(2)], 64, {"num": 3, "axis": 1}, steps=0),
        Case("SPLIT", [c(1), f(2, 6)], [f(2, 3), f(2, 3)], 35, {"num_splits": 2}),
        Case("SPLIT_V", [q(2, 6), c([1, -1]), c(1)], [q(2, 1), q(2, 5)], 79, {"num_splits": 2}, steps=0),
        Case("SLICE", [f(4, 6), c([1, 2]), c([2, -1])], [f(2, 4)]),
        Case("STRIDED_SLICE", [f(4, 6, 3), c([0, 5]), c([4, 0]), c([2, -2])], [f(2, 3, 3)], 32, {}),
        Case(
            "STRIDED_SLICE",
            [q(4, 6, 3), c([1, 0, 0]), c([2, 0, 2]), c([1, 1, 1])],
            [q(6, 2)],
            32,
            {"begin_mask": 2, "end_mask": 2, "shrink_axis_mask": 1},
            steps=0,
        ),
        Case(
            "STRIDED_SLICE",
            [f(4, 6, 3), c([0, 0, 1]), c([0, 0, 3]), c([1, 1, 1])],
            [f(1, 4, 6, 2)],
            32,
            {"new_axis_mask": 1, "ellipsis_mask": 2},
        ),
        Case(
            "STRIDED_SLICE",
            [f(4, 6), c([-1, 0]), c([0, 0]), c([1, -1])],
            [f(6)],
            32,
            {"shrink_axis_mask": 1, "begin_mask": 2, "end_mask": 2},
        ),
        Case("GATHER", [q(4, 6), c([3, 0, 1])], [q(3, 6)], 23, {"axis": 0}, steps=0),
        Case("EMBEDDING_LOOKUP", [c([3, 0]), weight(4, 6)], [f(2, 6)]),
        Case("GATHER_ND", [f(4, 6), c([[3, 0], [1, 1]])], [f(2)]),
        Case("TILE", [f(2, 3), c([2, 1])], [f(4, 3)]),
        Case("BROADCAST_TO", [f(1, 3), c([2, 3])], [f(2, 3)], version=2),
        Case("FILL", [c([2, 3]), f()], [f(2, 3)]),
        Case("ONE_HOT", [c([2, 0]), c(4), c(2.5, "float32"), c(-1, "float32")], [f(2, 4)], 61, {"axis": -1}),
        Case("REVERSE_V2", [f(2, 5, 3), c([1])], [f(2, 5, 3)]),
    ]


def _images() -> list[Case]:
    pads = c([[0, 0], [1, 2], [0, 3], [0, 0]])
    nearest = ({}, {"align_corners": True}, {"half_pixel_centers": True})
    cases = [
        Case("PAD", [f(1, 3, 4, 2), pads], [f(1, 6, 7, 2)]),
        Case("PAD", [q(1, 3, 4, 2), pads], [q(1, 6, 7, 2)], steps=0),
        Case("PADV2", [f(1, 3, 4, 2), pads, c(1.5, "float32")], [f(1, 6, 7, 2)]),
        Case("MIRROR_PAD", [f(1, 5, 5, 2), pads], [f(1, 8, 8, 2)], 77, {"mode": 0}),
        Case("MIRROR_PAD", [q(1, 3, 4, 2), pads], [q(1, 6, 7, 2)], 77, {"mode": 1}, steps=0),
        Case("SPACE_TO_DEPTH", [f(1, 4, 6, 3)], [f(1, 2, 3, 12)], 19, {"block_size": 2}),
        Case("DEPTH_TO_SPACE", [q(1, 2, 3, 12)], [q(1, 4, 6, 3)], 94, {"block_size": 2}, steps=0),
        Case("SPACE_TO_BATCH_ND", [f(1, 5, 4, 3), c([2, 2]), c([[1, 0], [0, 2]])], [f(4, 3, 3, 3)]),
        Case("BATCH_TO_SPACE_ND", [q(4, 3, 3, 3), c([2, 2]), c([[1, 0], [0, 2]])], [q(1, 5, 4, 3)], steps=0),
        Case("RESIZE_BILINEAR", [q(1, 4, 5, 3), c([7, 9])], [q(1, 7, 9, 3)], 15, {"half_pixel_centers": True}),
    ]
    cases += [Case("RESIZE_BILINEAR", [f(1, 4, 5, 3), c([7, 9])], [f(1, 7, 9, 3)], 15, o) for o in nearest]
    cases += [Case("RESIZE_NEAREST_NEIGHBOR", [f(1, 4, 5, 3), c([7, 9])], [f(1, 7, 9, 3)], 74, o) for o in nearest]
    return cases


def _positions() -> list[Case]:
    ints = Operand((4,), "int32")
    integers = Operand((9,), "int32", low=-20, high=20)
    nms = [f(6, 4, low=0, high=1), f(6, low=0, high=1), c(4), c(0.3, "float32"), c(0.1, "float32")]
    count, index = Operand((), "int32"), Operand((4,), "int32")
    cases = [
        Case("GATHER", [f(2, 3, 5, 4), c([[0, 4, 4], [1, 0, 3]])], [f(2, 3, 3, 4)], 23, {"axis": 2, "batch_dims": 1}),
        Case("GATHER", [f(2, 3, 5), c([[[0], [2]], [[1], [1]]])], [f(2, 2, 1, 5)], 23, {"axis": 1, "batch_dims": 1}),
        Case("GATHER", [q(2, 3), c([[2, 0], [1, 1]])], [q(2, 2)], 23, {"axis": 1, "batch_dims": -1}, steps=0),
        Case("SCATTER_ND", [c([[1], [3], [1]]), f(3, 2), c([5, 2])], [f(5, 2)]),
        Case("SCATTER_ND", [c([[1, 0], [3, 1]]), Operand((2,), "int32"), c([5, 2])], [Operand((5, 2), "int32")]),
        Case("SPARSE_TO_DENSE", [c([[0, 1], [2, 3]]), c([4, 5]), f(2), c(-1, "float32")], [f(4, 5)]),
        Case("SPARSE_TO_DENSE", [c([0, 3]), c([4]), f(), c(0, "float32")], [f(4)]),
        Case("SEGMENT_SUM", [f(5, 3), c([0, 0, 1, 2, 2])], [f(3, 3)]),
        Case("WHERE", [Operand((3, 4), "bool")], [Operand((7, 2), "int64")]),
        Case("UNIQUE", [c([3, 1, 3, 7, 1])], [Operand((3,), "int32"), Operand((5,), "int32")], 80, {"index_type": 2}),
        Case("RANGE", [c(1), c(12), c(3)], [ints]),
        Case("RANGE", [c(5, "float32"), c(0, "float32"), c(-1.5, "float32")], [f(4)]),
        Case("BUCKETIZE", [f(3, 5)], [Operand((3, 5), "int32")], 115, {"boundaries": [-1, 0, 0.5, 1.5]}),
        Case("BROADCAST_ARGS", [c([3, 1, 2]), c([4, 1])], [Operand((3,), "int32")]),
        Case("REVERSE_SEQUENCE", [f(2, 5, 3), c([2, 5])], [f(2, 5, 3)], 87, {"seq_dim": 1, "batch_dim": 0}),
        Case("MATRIX_DIAG", [f(2, 3)], [f(2, 3, 3)]),
        Case("MATRIX_SET_DIAG", [f(2, 3, 4), f(2, 3)], [f(2, 3, 4)]),
        Case("MATRIX_SET_DIAG", [f(4, 3), f(3)], [f(4, 3)]),
        Case("ATAN2", [f(3, 50), f(3, 50)], [f(3, 50)]),
        Case("ATAN2", [c([0, 0, 0, 1, -1, 2], "float32"), c([0, 1, -1, 0, 0, -2], "float32")], [f(6)]),
        Case("FLOOR_DIV", [integers, c([3, -3, 7, -7, 2, 2, 5, -5, 1])], [Operand((9,), "int32")]),
        Case(
            "L2_POOL_2D", [f(1, 7, 6, 3)], [f(1, 4, 3, 3)], 5, {**_SAME, **_TWO, "filter_height": 3, "filter_width": 2}
        ),
        Case("NON_MAX_SUPPRESSION_V4", nms, [index, count]),
        Case("NON_MAX_SUPPRESSION_V5", [*nms, c(0, "float32")], [index, f(4), count]),
    ]
    for start in ([1, 0, 2], [-3, 1, 9]):
        cases.append(Case("DYNAMIC_UPDATE_SLICE", [f(4, 3, 5), f(2, 3, 2), c(start)], [f(4, 3, 5)]))
        cases.append(Case("DYNAMIC_UPDATE_SLICE", [f(4, 3, 5), f(1, 3, 5), c(start)], [f(4, 3, 5)]))
    numbers = c([2, 0, -1, 2, 0])
    for kind in ("SUM", "PROD", "MAX", "MIN"):
        cases.append(Case(f"UNSORTED_SEGMENT_{kind}", [f(5, 3), numbers, c(4)], [f(4, 3)]))
    return cases


_FAMILIES = (
    _convolutions, _depthwise_convolutions, _transposed_convolutions, _products, _pools, _functions, _pairs, _types,
    _reductions, _shapes, _images, _positions,
)  # fmt: skip
CASES = [case for family in _FAMILIES for case in family()]
for _i, _case in enumerate(CASES):
    _case.name = f"{_i}-{_case.op}"
