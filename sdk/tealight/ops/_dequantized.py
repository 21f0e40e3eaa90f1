# SPDX-License-Identifier: Apache-2.0
"""Constants that are kept as integers: dequantize(constant), and how its elements can be rearranged."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from tealight.ir.graph import Value
from tealight.ops.quantize import spread
from tealight.quant import numerics


@dataclasses.dataclass(frozen=True)
class DequantizedConstant:
    """The operands and attributes of a dequantize node over constants.

    Attributes:
        integers: The stored elements.
        scale: float32: [], [1], [d] along `axis`, or blocked.
        zero_point: Of the integers' dtype, like scale; None for 0.
        axis: Of the channels or blocks.
        block_size: Elements of `axis` that share a scale; 0 = per tensor or per channel.
    """

    integers: np.ndarray
    scale: np.ndarray
    zero_point: np.ndarray | None
    axis: int
    block_size: int

    @classmethod
    def of(cls, value: Value | None) -> DequantizedConstant | None:
        """Returns what a value is made of when a dequantize node makes it of constants; else None."""
        node = None if value is None else value.producer
        if node is None or node.op != "dequantize":
            return None
        x, scale, zero_point = (None if v is None else v.const for v in [*node.inputs, None][:3])
        if x is None or scale is None or (zero_point is None and node.input(2) is not None):
            return None
        return cls(x, scale, zero_point, int(node.attrs["axis"]), int(node.attrs["block_size"]))

    @property
    def attrs(self) -> dict[str, Any]:
        """The attributes of the node."""
        return {"axis": self.axis, "block_size": self.block_size}

    def real(self) -> np.ndarray:
        """Returns the float32 elements."""
        zero = np.zeros(self.scale.shape, np.int32) if self.zero_point is None else self.zero_point.astype(np.int32)
        scale, zero = (spread(p, self.integers.shape, self.axis, self.block_size) for p in (self.scale, zero))
        return numerics.dequantize(self.integers, scale, zero)

    def scaled(self, factor: float) -> DequantizedConstant:
        """Returns this times a positive number."""
        return dataclasses.replace(self, scale=(self.scale.astype(np.float64) * factor).astype(np.float32))

    def rearranged(self, change: Callable[[np.ndarray], np.ndarray]) -> DequantizedConstant | None:
        """Returns change(this) for a function that permutes, reshapes or repeats; None where its scales do not allow.

        The scales follow their elements: the dim along which they vary afterwards becomes the axis.
        """
        integers = np.asarray(change(self.integers), order="C")
        if self.scale.size == 1:
            return dataclasses.replace(self, integers=integers, axis=0, block_size=0, **self._single())
        number = np.arange(self.scale.size).reshape(self.scale.shape)
        at = change(np.ascontiguousarray(np.broadcast_to(self._spread(number), self.integers.shape)))
        for axis in range(at.ndim):
            for block in (0, self.block_size) if self.block_size else (0,):
                first = _first_of_blocks(at, axis, block)
                if first is None:
                    continue
                zero_point = None if self.zero_point is None else self.zero_point.reshape(-1)[first]
                return DequantizedConstant(integers, self.scale.reshape(-1)[first], zero_point, axis, block)
        return None

    def _single(self) -> dict[str, Any]:
        zero_point = None if self.zero_point is None else self.zero_point.reshape(())
        return {"scale": self.scale.reshape(()), "zero_point": zero_point}

    def _spread(self, parameter: np.ndarray) -> np.ndarray:
        return spread(parameter, self.integers.shape, self.axis, self.block_size)


def _first_of_blocks(at: np.ndarray, axis: int, block: int) -> np.ndarray | None:
    """Returns the numbers of the scales per channel [d] (block 0) or per block; None when they do not repeat so."""
    if not block:
        line = np.moveaxis(at, axis, 0).reshape(at.shape[axis], -1)
        return line[:, 0] if line.shape[1] and np.all(line == line[:, :1]) else None
    starts = np.arange(0, at.shape[axis], block)
    first = at.take(starts, axis)
    same = np.array_equal(first.take(np.arange(at.shape[axis]) // block, axis), at)
    return first if same else None
