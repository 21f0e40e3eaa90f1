# SPDX-License-Identifier: Apache-2.0
"""Tables of a .tflite flatbuffer -> dictionaries. Every offset is checked: damaged bytes give ImportModelError.

Scalars are read by the flatbuffers package; which field lies in which slot is said by schema.py.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from flatbuffers import encode, flexbuffers, number_types

from tealight.errors import ImportModelError
from tealight.frontends.tflite.schema import IDENTIFIER, TABLES, UNIONS, Field

_SCALARS = {
    "bool": number_types.BoolFlags, "int8": number_types.Int8Flags, "uint8": number_types.Uint8Flags,
    "uint16": number_types.Uint16Flags, "int32": number_types.Int32Flags, "uint32": number_types.Uint32Flags,
    "int64": number_types.Int64Flags, "uint64": number_types.Uint64Flags, "float32": number_types.Float32Flags,
}  # fmt: skip
_MAX_DEPTH = 8
#: Options of a custom operator; more is damage.
_MOST_OPTIONS = 64


class Flatbuffer:
    """A file's bytes, and how to follow its offsets.

    Attributes:
        data: The whole file.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        # A visit costs at least a byte of the file, unless tables share their parts to blow up what is read.
        self._budget = 64 * len(data) + 1024

    def model(self) -> dict[str, Any]:
        """Returns the root table.

        Raises:
            ImportModelError: The bytes are no .tflite model, or are damaged.
        """
        if len(self.data) < 8 or self.data[4:8] != IDENTIFIER:
            raise ImportModelError(f"bytes 4 to 8: {self.data[4:8]!r}, expected {IDENTIFIER!r} of a .tflite model")
        return self._table("Model", self._follow(0), 0)

    def _scalar(self, kind: str, at: int) -> Any:
        flags = _SCALARS[kind]
        if at < 0 or at + flags.bytewidth > len(self.data):
            raise ImportModelError(f"an offset points to byte {at}, expected one below {len(self.data)}; it is damaged")
        return encode.Get(flags.packer_type, self.data, at)

    def _follow(self, at: int) -> int:
        return at + int(self._scalar("uint32", at))

    def _spend(self, amount: int) -> None:
        self._budget -= amount
        if self._budget < 0:
            raise ImportModelError("tables share their parts too often, expected one owner each; it is damaged")

    def _place(self, table: int, slot: int) -> int:
        """Returns where a field's value lies; 0 when it is absent."""
        vtable = table - int(self._scalar("int32", table))
        entry = 4 + 2 * slot
        if entry + 2 > int(self._scalar("uint16", vtable)):
            return 0
        offset = int(self._scalar("uint16", vtable + entry))
        return table + offset if offset else 0

    def _table(self, name: str, at: int, depth: int) -> dict[str, Any]:
        self._spend(4)
        if depth > _MAX_DEPTH:
            raise ImportModelError(f"tables nested over {_MAX_DEPTH} deep, expected fewer; it is damaged")
        result: dict[str, Any] = {}
        for field in TABLES[name]:
            place = self._place(at, field.slot)
            if field.is_vector:
                result[field.name] = self._vector(field, place, depth)
            elif field.kind == "string":
                result[field.name] = self._string(self._follow(place)) if place else ""
            elif field.kind in UNIONS:
                table = UNIONS[field.kind].get(int(result[f"{field.name}_type"]))
                result[field.name] = self._table(table, self._follow(place), depth + 1) if place and table else {}
            elif field.kind in TABLES:
                result[field.name] = self._table(field.kind, self._follow(place), depth + 1) if place else None
            else:
                result[field.name] = self._scalar(field.kind, place) if place else _default(field)
        return result

    def _string(self, at: int) -> str:
        first, count = self._extent(at, 1)
        return self.data[first : first + count].decode("utf-8", "replace")

    def _extent(self, at: int, item_bytes: int) -> tuple[int, int]:
        """Returns the place of the first item of a vector, and how many there are."""
        count = int(self._scalar("uint32", at))
        if at + 4 + count * item_bytes > len(self.data):
            raise ImportModelError(f"a vector of {count} items at byte {at}, expected them inside the file")
        return at + 4, count

    def _vector(self, field: Field, place: int, depth: int) -> Any:
        """Returns a list of tables or strings, or an array of scalars (None when it is absent)."""
        is_table = field.kind in TABLES
        if not place:
            return [] if is_table else None
        at = self._follow(place)
        if is_table:
            first, count = self._extent(at, 4)
            self._spend(count)
            return [self._table(field.kind, self._follow(first + 4 * i), depth + 1) for i in range(count)]
        dtype = np.dtype(field.kind).newbyteorder("<")
        first, count = self._extent(at, dtype.itemsize)
        if field.kind != "uint8":  # bytes of buffers are not copied
            self._spend(count)
        return np.frombuffer(self.data, dtype, count, first)


def _default(field: Field) -> Any:
    if field.kind == "bool":
        return bool(field.default)
    return field.default if field.kind == "float32" else int(field.default)


def custom_options(data: np.ndarray | None, op: str) -> dict[str, Any]:
    """Returns the numbers that the flexbuffer of a custom operator names; none where it holds something else."""
    if data is None or data.size < 3:
        return {}
    try:
        root = flexbuffers.GetRoot(data.tobytes())
        if not root.IsMap or len(root.AsMap) > _MOST_OPTIONS:
            return {}
        pairs = zip(root.AsMap.Keys, root.AsMap.Values, strict=True)
        return {k.AsKey: v.Value for k, v in pairs if v.IsNumeric or v.IsBool}
    except (struct.error, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as e:
        raise ImportModelError(f"options of {op}: no flexbuffer ({e}), expected one; it is damaged") from e
