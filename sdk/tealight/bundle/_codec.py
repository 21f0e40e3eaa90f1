# SPDX-License-Identifier: Apache-2.0
"""Flatbuffer tables <-> plain dictionaries, driven by the compiled schema (bundle.bfbs, made by flatc).

Knowing the schema as data keeps op attributes out of this package: a new table in ops.fbs works without an edit here.
Enum values are their names, absent tables and strings are None, a union is a pair (table name, dictionary).
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import struct
from typing import Any

import flatbuffers
import numpy as np

from tealight.errors import BundleError, TealightError

SCHEMA_FILE = pathlib.Path(__file__).parent / "_schema" / "bundle.bfbs"

# reflection.BaseType of flatbuffers.
_UTYPE, _BOOL, _STRING, _VECTOR, _TABLE, _UNION = 1, 2, 13, 14, 15, 16
_SCALARS = {1: "B", 2: "?", 3: "b", 4: "B", 5: "h", 6: "H", 7: "i", 8: "I", 9: "q", 10: "Q", 11: "f", 12: "d"}
_SLOT_WRITERS = {
    1: "Uint8", 2: "Bool", 3: "Int8", 4: "Uint8", 5: "Int16", 6: "Uint16", 7: "Int32", 8: "Uint32", 9: "Int64",
    10: "Uint64", 11: "Float32", 12: "Float64",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Field:
    """One field of a table: its vtable slot and its type (base, element and index as in flatbuffers' reflection)."""

    name: str
    slot: int
    base: int
    element: int
    index: int
    default: int | float


@dataclasses.dataclass(frozen=True)
class Enum:
    """An enum or union: its names by value and values by name."""

    name: str
    names: dict[int, str]
    values: dict[str, int]


class _Reader:
    """Bounds-checked access to the tables of a flatbuffer."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.size = len(data)

    def scalar(self, kind: str, at: int) -> Any:
        if at < 0 or at + struct.calcsize(kind) > self.size:
            raise BundleError(f"bundle metadata: an offset points to byte {at}, the size is {self.size} bytes")
        return struct.unpack_from("<" + kind, self.data, at)[0]

    def indirect(self, at: int) -> int:
        return at + int(self.scalar("I", at))

    def field(self, table: int, slot: int) -> int:
        """Returns the position of a field's value, 0 when it is absent."""
        vtable = table - int(self.scalar("i", table))
        size = self.scalar("H", vtable)
        entry = 4 + 2 * slot
        offset = self.scalar("H", vtable + entry) if entry + 2 <= size else 0
        return table + int(offset) if offset else 0

    def string(self, at: int) -> str:
        n = self.scalar("I", at)
        if at + 4 + n > self.size:
            raise BundleError(f"bundle metadata: a string of {n} bytes at {at}, the size is {self.size} bytes")
        try:
            return bytes(self.data[at + 4 : at + 4 + n]).decode("utf-8")
        except UnicodeDecodeError as e:
            raise BundleError(f"bundle metadata: the string at byte {at} is not UTF-8") from e

    def vector(self, at: int, item_bytes: int) -> tuple[int, int]:
        """Returns the position of the first item and the number of items."""
        n = int(self.scalar("I", at))
        if at + 4 + n * item_bytes > self.size:
            raise BundleError(f"bundle metadata: a vector of {n} items at {at}, the size is {self.size} bytes")
        return at + 4, n


class Schema:
    """The tables and enums of bundle.fbs, without their namespace."""

    def __init__(self, bfbs: bytes) -> None:
        r = _Reader(memoryview(bfbs))
        root = r.indirect(0)

        def tables(table: int, slot: int) -> list[int]:
            at = r.field(table, slot)
            first, n = r.vector(r.indirect(at), 4) if at else (0, 0)
            return [r.indirect(first + 4 * i) for i in range(n)]

        def name_of(table: int) -> str:
            return r.string(r.indirect(r.field(table, 0))).rsplit(".", 1)[-1]

        def number(table: int, slot: int, kind: str, default: float = 0) -> Any:
            at = r.field(table, slot)
            return r.scalar(kind, at) if at else default

        enums = []
        for e in tables(root, 1):
            values = {name_of(v): int(number(v, 1, "q")) for v in tables(e, 1)}
            enums.append(Enum(name_of(e), {v: k for k, v in values.items()}, values))
        self.enums = {e.name: e for e in enums}
        self.enum_list = enums
        self.tables: dict[str, list[Field]] = {}
        objects = tables(root, 0)
        self.table_list = [name_of(o) for o in objects]
        for o, table in zip(objects, self.table_list, strict=True):
            fields = []
            for f in tables(o, 1):
                t = r.indirect(r.field(f, 1))
                base = int(number(t, 0, "b"))
                default = number(f, 5, "d") if base in (11, 12) else number(f, 4, "q")
                element, index = int(number(t, 1, "b")), int(number(t, 2, "i", -1))
                fields.append(Field(name_of(f), int(number(f, 2, "H")), base, element, index, default))
            self.tables[table] = sorted(fields, key=lambda f: f.slot)
        self.ops = {_snake(n): n for n in self.enums["OpAttributes"].values if n != "NONE"}


@functools.cache
def _snake(name: str) -> str:
    """Returns Conv2d -> conv2d, MaxPool2d -> max_pool2d."""
    return "".join(("_" if c.isupper() and i else "") + c.lower() for i, c in enumerate(name))


@functools.cache
def schema() -> Schema:
    """Returns the compiled schema."""
    try:
        return Schema(SCHEMA_FILE.read_bytes())
    except FileNotFoundError as e:
        raise TealightError(
            f"bundle schema {SCHEMA_FILE}: not found, expected it from the build; "
            "build the native library first (tools/test does)"
        ) from e


# ---- encode ----


def encode(root: str, data: dict[str, Any], identifier: bytes) -> bytes:
    """Returns a finished flatbuffer with the given root table; equal input gives equal bytes."""
    builder = flatbuffers.Builder(4096)
    table = _encode_table(schema(), builder, root, data)
    builder.Finish(table, file_identifier=identifier)
    return bytes(builder.Output())


def _encode_table(s: Schema, b: flatbuffers.Builder, table: str, data: dict[str, Any]) -> int:
    fields = s.tables[table]
    known = {f.name for f in fields}
    for key in data:
        if key not in known:
            raise TealightError(f"{_snake(table)}: attribute {key!r}, the schema has {sorted(known)}")
    done: dict[int, Any] = {}
    for f in fields:
        value = data.get(f.name)
        if value is None:
            continue
        if f.base == _UNION:
            name, inner = value
            done[f.slot] = _encode_table(s, b, name, inner)
            done[f.slot - 1] = s.enums[s.enum_list[f.index].name].values[name]
        elif f.base == _STRING:
            done[f.slot] = b.CreateString(value)
        elif f.base == _TABLE:
            done[f.slot] = _encode_table(s, b, s.table_list[f.index], value)
        elif f.base == _VECTOR:
            if len(value):
                done[f.slot] = _encode_vector(s, b, f, value)
        else:
            done[f.slot] = _scalar(s, table, f, f.base, value)
    b.StartObject(max((f.slot for f in fields), default=-1) + 1)
    for f in reversed(fields):
        if f.slot not in done:
            continue
        if f.base in _SCALARS:
            getattr(b, f"Prepend{_SLOT_WRITERS[f.base]}Slot")(f.slot, done[f.slot], _typed_default(f))
        else:
            b.PrependUOffsetTRelativeSlot(f.slot, done[f.slot], 0)
    return int(b.EndObject())


def _typed_default(f: Field) -> Any:
    return bool(f.default) if f.base == _BOOL else f.default


def _encode_vector(s: Schema, b: flatbuffers.Builder, f: Field, value: Any) -> int:
    if f.element in (_STRING, _TABLE):
        if f.element == _STRING:
            offsets = [b.CreateString(v) for v in value]
        else:
            offsets = [_encode_table(s, b, s.table_list[f.index], v) for v in value]
        b.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            b.PrependUOffsetTRelative(offset)
        return int(b.EndVector())
    items = [_scalar(s, f.name, f, f.element, v) for v in value]
    dtype = np.dtype("<" + _SCALARS[f.element])
    return int(b.CreateNumpyVector(np.array(items, dtype)))


def _scalar(s: Schema, table: str, f: Field, base: int, value: Any) -> Any:
    """Returns the number of a scalar; names of enum values are looked up."""
    if isinstance(value, str):
        # A ubyte that is no enum holds a DType (ops.fbs cannot name the enums of bundle.fbs).
        enum = s.enum_list[f.index] if f.index >= 0 else s.enums["DType"]
        if value not in enum.values:
            raise TealightError(f"{_snake(table)} {f.name}: {value!r}, expected one of {sorted(enum.values)}")
        return enum.values[value]
    value = getattr(value, "value", value)
    if base in (11, 12):
        return float(np.float32(value)) if base == 11 else float(value)
    if base == _BOOL:
        return bool(value)
    number = int(value)
    bits = 8 * struct.calcsize(_SCALARS[base])
    low, high = (-(1 << (bits - 1)), 1 << (bits - 1)) if _SCALARS[base].islower() else (0, 1 << bits)
    if not low <= number < high:
        raise TealightError(f"{_snake(table)} {f.name}: {number}, must fit {bits} bits")
    return number


# ---- decode ----


def decode(root: str, data: memoryview, identifier: bytes) -> dict[str, Any]:
    """Returns the root table of a flatbuffer as a dictionary; raises BundleError where it is damaged."""
    r = _Reader(data)
    if bytes(data[4:8]) != identifier:
        raise BundleError(f"bundle metadata: identifier {bytes(data[4:8])!r}, must be {identifier!r}")
    budget = [64 * len(data) + 1024]  # each visit costs at least a byte: a bomb of shared tables ends here
    return _decode_table(schema(), r, root, r.indirect(0), 0, budget)


def _decode_table(s: Schema, r: _Reader, table: str, at: int, depth: int, budget: list[int]) -> dict[str, Any]:
    budget[0] -= 4
    if depth > 16 or budget[0] < 0:
        raise BundleError(f"bundle metadata: tables nested or shared too deep at byte {at}, expected at most 16 levels")
    result: dict[str, Any] = {}
    union_kind = 0
    for f in s.tables[table]:
        pos = r.field(at, f.slot)
        if f.base == _UTYPE:
            union_kind = r.scalar("B", pos) if pos else 0
        elif f.base in _SCALARS:
            number = r.scalar(_SCALARS[f.base], pos) if pos else _typed_default(f)
            result[f.name] = _named(s, f, number)
        elif f.base == _STRING:
            result[f.name] = r.string(r.indirect(pos)) if pos else None
        elif f.base == _TABLE:
            name = s.table_list[f.index]
            result[f.name] = _decode_table(s, r, name, r.indirect(pos), depth + 1, budget) if pos else None
        elif f.base == _UNION:
            names = s.enum_list[f.index].names
            if union_kind not in names:
                raise BundleError(f"bundle metadata: op number {union_kind}, this version knows {len(names) - 1} ops")
            name = names[union_kind]
            known = bool(pos) and union_kind != 0
            result[f.name] = (name, _decode_table(s, r, name, r.indirect(pos), depth + 1, budget)) if known else None
        else:
            result[f.name] = _decode_vector(s, r, f, pos, depth, budget)
    return result


def _decode_vector(s: Schema, r: _Reader, f: Field, pos: int, depth: int, budget: list[int]) -> list[Any]:
    if not pos:
        return []
    if f.element in (_STRING, _TABLE):
        first, n = r.vector(r.indirect(pos), 4)
        budget[0] -= n
        if budget[0] < 0:
            raise BundleError(f"bundle metadata: vectors shared too often at byte {pos}, expected one owner each")
        items = [r.indirect(first + 4 * i) for i in range(n)]
        if f.element == _STRING:
            return [r.string(i) for i in items]
        return [_decode_table(s, r, s.table_list[f.index], i, depth + 1, budget) for i in items]
    kind = _SCALARS[f.element]
    first, n = r.vector(r.indirect(pos), struct.calcsize(kind))
    budget[0] -= n
    if budget[0] < 0:
        raise BundleError(f"bundle metadata: vectors shared too often at byte {pos}, expected one owner each")
    return [v.item() for v in np.frombuffer(r.data, "<" + kind, n, first)]


def _named(s: Schema, f: Field, number: Any) -> Any:
    if f.index < 0:
        return number
    enum = s.enum_list[f.index]
    if number not in enum.names:
        raise BundleError(f"bundle metadata: {f.name} {number}, expected one of {sorted(enum.values)}")
    return enum.names[number]
