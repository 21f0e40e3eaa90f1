# SPDX-License-Identifier: Apache-2.0
"""DType, Dim and TensorType: what is known of a value before it has one."""

from __future__ import annotations

import dataclasses
import enum
import math

import ml_dtypes
import numpy as np


class DType(enum.Enum):
    """Element types. Values equal tl_dtype of tealight.h and DType of bundle.fbs."""

    FLOAT32 = 1
    FLOAT16 = 2
    FLOAT64 = 3
    INT8 = 4
    UINT8 = 5
    INT16 = 6
    UINT16 = 7
    INT32 = 8
    UINT32 = 9
    INT64 = 10
    UINT64 = 11
    BOOL = 12
    BFLOAT16 = 13
    INT4 = 14
    UINT4 = 15

    @property
    def label(self) -> str:
        """The name users see, such as "float32" or "int8"."""
        return self.name.lower()

    @property
    def numpy(self) -> np.dtype:
        """The NumPy dtype of the same values."""
        return _NUMPY[self]

    @property
    def size(self) -> int:
        """Bytes of one element (1 for the 4-bit types, which only constants pack tighter)."""
        return self.numpy.itemsize

    @property
    def is_float(self) -> bool:
        """Whether values are floating point."""
        return self in (DType.FLOAT32, DType.FLOAT16, DType.FLOAT64, DType.BFLOAT16)

    @classmethod
    def of(cls, dtype: np.dtype | type) -> DType:
        """Returns the DType of a NumPy dtype; raises KeyError when there is none."""
        return _FROM_NUMPY[np.dtype(dtype)]


_NUMPY: dict[DType, np.dtype] = {
    d: np.dtype({"BFLOAT16": ml_dtypes.bfloat16, "INT4": ml_dtypes.int4, "UINT4": ml_dtypes.uint4}.get(d.name, d.label))
    for d in DType
}
_FROM_NUMPY = {v: k for k, v in _NUMPY.items()}

#: A fixed size, or the name of a symbol. Names that begin with "?" are unknown sizes made by inference.
Dim = int | str


class Layout(enum.Enum):
    """How a constant's bytes lie in the bundle (bundle.fbs gives each); in the IR constants are always logical."""

    PLAIN = 0
    PAD_N16 = 1
    GEMM_N16 = 2
    DWCONV_C16 = 3
    CONV_TRANSPOSE_N16 = 4
    WINOGRAD_N16 = 5
    PAD_N32 = 6
    GEMM_N32K4 = 7
    DWCONV_C16R4 = 8
    CONV_TRANSPOSE_N32K4 = 9


@dataclasses.dataclass(frozen=True)
class QuantParams:
    """How integers stand for real numbers: real = (q - zero_point) * scale.

    Attributes:
        scale: float32 array: [] per tensor, [d] per channel along `axis`, or blocked (the shape of the values, but for
            dim `axis`, which is divided by block_size).
        zero_point: int32 array of the same shape.
        axis: Of the channels or blocks; -1 = per tensor.
        block_size: Elements of `axis` that share a scale; 0 = per tensor or per channel.
    """

    scale: np.ndarray
    zero_point: np.ndarray
    axis: int = -1
    block_size: int = 0


@dataclasses.dataclass(frozen=True)
class TensorType:
    """Dtype and shape of a value, and its elements where they are known.

    Attributes:
        dtype: Element type.
        shape: Dims, outermost first; rank is always known.
        const: The elements, when known at build time (for operands that carry shapes, axes …).
        quantization: What the integers of an int8 program stand for; for reports and for apps, never for computing.
    """

    dtype: DType
    shape: tuple[Dim, ...]
    const: np.ndarray | None = dataclasses.field(default=None, compare=False, repr=False)
    quantization: QuantParams | None = dataclasses.field(default=None, compare=False, repr=False)

    @property
    def rank(self) -> int:
        """Number of dims."""
        return len(self.shape)

    @property
    def is_static(self) -> bool:
        """Whether every dim is fixed."""
        return all(isinstance(d, int) for d in self.shape)

    @property
    def elements(self) -> int:
        """Number of elements; only where is_static."""
        return math.prod(int(d) for d in self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the plain layout; only where is_static."""
        return self.elements * self.dtype.size

    def __str__(self) -> str:
        """Returns for example float32[1, h, w, 3]."""
        return f"{self.dtype.label}[{', '.join(map(str, self.shape))}]"
