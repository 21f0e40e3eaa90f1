# SPDX-License-Identifier: Apache-2.0
"""Gather, GatherElements and GatherND: elements picked by integer operands (ONNX opset 13).

Negative indices count from the end. An index that is out of range is an error of the run.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import Dim, DType, TensorType
from tealight.ops._registry import Case, OpDef, register
from tealight.ops._stored import check_stored, restore, stored_operands
from tealight.ops._window import product

_EXACT: dict[str, Any] = {"rtol": 0.0, "atol": 0.0, "why": "nothing is computed"}
INDEX_TYPES = (DType.INT32, DType.INT64)


def check_indices(definition: OpDef, indices: TensorType) -> None:
    """Raises the op's error when the dtype is not one of indices."""
    if indices.dtype not in INDEX_TYPES:
        raise definition.error("indices", found=indices, expected="int32 or int64")


def same_dim(a: Dim, b: Dim) -> bool:
    """Whether two dims can be equal."""
    return isinstance(a, str) or isinstance(b, str) or a == b


@register
class Gather(OpDef):
    """y[a..., i..., b...] = x[a..., indices[i...], b...], the indices taking the place of `axis`.

    With a scale x is a constant embedding of int8, int4 or uint4 [rows, k] and y float32: the rows of
    float32(x - zero_point) * scale, with scale and zero_point [rows]?, or [rows, ceil(k / block_size)]?.
    """

    name = "gather"
    inputs = ("x", "indices", "scale?", "zero_point?")
    required = ("axis",)
    defaults = {"block_size": 0}

    def infer(self, *inputs: TensorType | None, axis: int, block_size: int) -> TensorType:
        """Returns x with `axis` replaced by the shape of the indices."""
        x, indices, scale, zero_point = (*inputs, None, None)[:4]
        assert x is not None and indices is not None
        check_indices(self, indices)
        axis = self.normal_axis(axis, x.rank)
        if scale is not None:
            check_stored(self.error, x, scale, zero_point, block_size)
            if x.rank != 2 or axis != 0:
                raise self.error("x", found=f"{x} with a scale on axis {axis}", expected="[rows, k] and axis 0")
        dtype = x.dtype if scale is None else DType.FLOAT32
        return TensorType(dtype, (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))

    def reference(self, *inputs: np.ndarray | None, axis: int, block_size: int) -> np.ndarray:
        """numpy.take."""
        x, indices, scale, zero_point = (*inputs, None, None)[:4]
        assert x is not None and indices is not None
        if scale is not None:
            x = restore(x, scale, zero_point, block_size)
        return np.asarray(np.take(x, indices, axis))

    def cases(self) -> list[Case]:
        """Embedding rows, inner axes, scalars, negative and computed indices, empty results, every element size."""
        rng = np.random.default_rng(11)

        def indices(dtype: type, size: int, *shape: int) -> np.ndarray:
            return rng.integers(-size, size, shape).astype(dtype)

        def stored(dtype: DType, rows: int, k: int, block_size: int = 0, asymmetric: bool = False) -> Case:
            x, scale, zero_point = stored_operands(rng, (rows, k), dtype, block_size, asymmetric)
            constants = (0, 2, 3) if asymmetric else (0, 2)
            attrs = {"axis": 0, "block_size": block_size}
            return Case([x, indices(np.int64, rows, 2, 9), scale, zero_point], attrs, constants, **_EXACT)

        table = rng.integers(-100, 100, (19, 13))
        return [
            Case([(97, 64), indices(np.int64, 97, 2, 31)], {"axis": 0}, **_EXACT),
            Case([(97, 64), indices(np.int32, 97, 5)], {"axis": 0}, (0,), **_EXACT),
            Case([(2, 11, 7), indices(np.int64, 11, 3, 2)], {"axis": 1}, **_EXACT),
            Case([(2, 11, 7), indices(np.int64, 7, 5)], {"axis": -1}, (1,), **_EXACT),
            Case([(2, 11, 7), np.array(-11, np.int64)], {"axis": 1}, (1,), **_EXACT),
            Case([(9,), np.array(4, np.int32)], {"axis": 0}, **_EXACT),
            Case([(4, 0, 3), np.zeros((0, 2), np.int64)], {"axis": 1}, **_EXACT),
            Case([(4, 5), np.zeros((3, 0), np.int64)], {"axis": 0}, **_EXACT),
            Case([(3, 4, 2, 2, 3), indices(np.int64, 4, 2, 3, 1)], {"axis": -4}, **_EXACT),
            *(
                Case([table.astype(t), indices(np.int64, 13, 29)], {"axis": 1}, **_EXACT)
                for t in (np.int8, np.uint8, np.float16, np.int64, np.float64)
            ),
            Case([table.astype(np.uint8), indices(np.int64, 19, 7)], {"axis": 0}, **_EXACT),
            Case([table > 0, indices(np.int64, 19, 7)], {"axis": 0}, **_EXACT),
            stored(DType.INT8, 97, 64),
            stored(DType.INT8, 31, 33, 16, asymmetric=True),
            stored(DType.INT4, 50, 35),
            stored(DType.INT4, 50, 70, 32),
            stored(DType.UINT4, 19, 40, 32, asymmetric=True),
        ]


@register
class GatherElements(OpDef):
    """y[i, j, k] = x[indices[i, j, k], j, k] for axis 0, and so on; y has the shape of the indices."""

    name = "gather_elements"
    inputs = ("x", "indices")
    required = ("axis",)

    def infer(self, x: TensorType, indices: TensorType, *, axis: int) -> TensorType:
        """Returns x's dtype in the shape of the indices."""
        check_indices(self, indices)
        if indices.rank != x.rank:
            raise self.error("indices", found=indices, expected=f"rank {x.rank}")
        axis = self.normal_axis(axis, x.rank)
        for i, (a, b) in enumerate(zip(indices.shape, x.shape, strict=True)):
            if i != axis and isinstance(a, int) and isinstance(b, int) and a > b:
                raise self.error("indices", found=indices, expected=f"dims of at most {x} but on axis {axis}")
        return TensorType(x.dtype, indices.shape)

    def reference(self, x: np.ndarray, indices: np.ndarray, *, axis: int) -> np.ndarray:
        """numpy.take_along_axis on the part of x that the indices cover."""
        part = tuple(slice(None) if i == axis % x.ndim else slice(n) for i, n in enumerate(indices.shape))
        return np.take_along_axis(x[part], indices.astype(np.int64), axis)

    def cases(self) -> list[Case]:
        """Every axis, more and fewer indices than x has, negative ones, other element sizes."""
        rng = np.random.default_rng(12)

        def indices(dtype: type, size: int, *shape: int) -> np.ndarray:
            return rng.integers(-size, size, shape).astype(dtype)

        return [
            Case([(5, 7), indices(np.int64, 5, 3, 7)], {"axis": 0}, **_EXACT),
            Case([(5, 7), indices(np.int32, 7, 5, 11)], {"axis": 1}, **_EXACT),
            Case([(5, 7), indices(np.int64, 7, 2, 3)], {"axis": -1}, **_EXACT),
            Case([(3, 5, 7), indices(np.int64, 5, 2, 13, 6)], {"axis": 1}, **_EXACT),
            Case([(9,), indices(np.int64, 9, 17)], {"axis": 0}, **_EXACT),
            Case([(4, 0), np.zeros((4, 0), np.int64)], {"axis": 0}, **_EXACT),
            Case([(1, 300, 4), indices(np.int64, 300, 1, 100, 4)], {"axis": 1}, **_EXACT),
            *(
                Case([rng.integers(0, 90, (6, 5)).astype(t), indices(np.int64, 6, 4, 5)], {"axis": 0}, **_EXACT)
                for t in (np.int8, np.float16, np.int64, np.bool_)
            ),
        ]


@register
class GatherNd(OpDef):
    """The last axis of the indices holds positions in x (after the batch dims); y has a slice of x for each."""

    name = "gather_nd"
    inputs = ("x", "indices")
    defaults = {"batch_dims": 0}

    def infer(self, x: TensorType, indices: TensorType, *, batch_dims: int) -> TensorType:
        """Returns the batch and index dims, then the dims of x that the positions leave."""
        check_indices(self, indices)
        if x.rank < 1 or indices.rank < 1 or not isinstance(indices.shape[-1], int):
            raise self.error("indices", found=indices, expected="a known last dim, and x of rank 1 or more")
        depth = indices.shape[-1]
        if not 0 <= batch_dims < min(x.rank, indices.rank) or batch_dims + depth > x.rank:
            raise self.error(
                "batch_dims", found=f"{batch_dims} for {x} at {indices}", expected="positions that are in x"
            )
        for a, b in zip(x.shape[:batch_dims], indices.shape[:batch_dims], strict=True):
            if not same_dim(a, b):
                raise self.error("indices", found=indices, expected=f"the {batch_dims} first dims of {x}")
        return TensorType(x.dtype, (*indices.shape[:-1], *x.shape[batch_dims + depth :]))

    def reference(self, x: np.ndarray, indices: np.ndarray, *, batch_dims: int) -> np.ndarray:
        """NumPy's advanced indexing, one batch at a time."""
        batch, depth = x.shape[:batch_dims], indices.shape[-1]
        rows = x.reshape(-1, *x.shape[batch_dims:]) if batch_dims else x[None]
        count = product(indices.shape[batch_dims:-1])
        where = indices.reshape(len(rows), count, depth)
        found = np.empty((len(rows), count, *x.shape[batch_dims + depth :]), x.dtype)
        for i, row in enumerate(rows):
            for j in range(count):
                found[i, j] = row[tuple(where[i, j])]
        return found.reshape((*batch, *indices.shape[batch_dims:-1], *x.shape[batch_dims + depth :]))

    def cases(self) -> list[Case]:
        """Whole positions, slices, batches, no position at all, other element sizes."""
        rng = np.random.default_rng(13)

        def indices(dtype: type, sizes: list[int], *shape: int) -> np.ndarray:
            parts = [rng.integers(-s, s, shape) for s in sizes]
            return np.stack(parts, -1).astype(dtype) if parts else np.zeros((*shape, 0), dtype)

        return [
            Case([(5, 7), indices(np.int64, [5, 7], 11)], **_EXACT),
            Case([(5, 7, 3), indices(np.int64, [5], 4, 2)], **_EXACT),
            Case([(5, 7, 3), indices(np.int64, [5, 7], 13)], **_EXACT),
            Case([(3, 5, 7), indices(np.int64, [5], 3, 4)], {"batch_dims": 1}, **_EXACT),
            Case([(2, 3, 5, 7), indices(np.int64, [5, 7], 2, 3, 6)], {"batch_dims": 2}, **_EXACT),
            Case([(2, 3, 5, 7), indices(np.int32, [3], 2)], {"batch_dims": 1}, **_EXACT),
            Case([(5, 7), indices(np.int64, [], 3)], **_EXACT),
            Case([(5, 7), np.array([3, -2], np.int64)], **_EXACT),
            Case([(5, 7), np.zeros((0, 1), np.int64)], **_EXACT),
            Case([(0, 3), np.zeros((0, 2), np.int64)], **_EXACT),
            Case([rng.integers(0, 9, (4, 6)).astype(np.int8), indices(np.int64, [4, 6], 9)], **_EXACT),
            Case([rng.integers(0, 9, (4, 6)), indices(np.int64, [4], 9)], **_EXACT),
            Case([rng.integers(0, 9, (4, 6)).astype(np.float16), indices(np.int64, [4, 6], 2, 9)], **_EXACT),
        ]
