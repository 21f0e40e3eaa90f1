# SPDX-License-Identifier: Apache-2.0
"""Structural damage of bundles: what random bytes seldom hit.

scalar_fields() lists every number in the metadata, so that fuzz_bundle changes fields instead of bytes; structural()
edits the decoded tables (operands, shapes, attributes, instructions) and encodes them again into a well-formed file.
Also a program: mutate.py BUNDLE.tea COUNT SEED writes variants for `fuzz_bundle - SEED` to stdout.
"""

from __future__ import annotations

import math
import random
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tealight.bundle import _codec
from tealight.bundle.format import ALIGN, HEADER_BYTES, IDENTIFIER, PAGE, Header, align
from tealight.errors import TealightError

FIELD = np.dtype([("offset", "<u4"), ("bytes", "<u2"), ("kind", "<u2")])
_NUMBERS = (
    -1, 0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 63, 64, 100, 127, 255, 256, 1000, 65535, 65536, 2**31 - 1, -(2**31),
    2**31, 2**32, 2**40, 2**62, 2**63 - 1, -(2**63), -2, -8, -100,
)  # fmt: skip
_FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-30, 1e30, 3.4e38, math.inf, -math.inf, math.nan)


# ---- where the numbers are ----


def scalar_fields(data: bytes) -> np.ndarray:
    """Returns the place, width and kind (one per field of a table) of every number in the metadata."""
    header = Header.unpack(data, "base")
    metadata = memoryview(data)[header.metadata_offset : header.metadata_offset + header.metadata_size]
    found: dict[int, tuple[int, int]] = {}
    kinds: dict[tuple[str, str], int] = {}
    schema, reader = _codec.schema(), _codec._Reader(metadata)

    def add(table: str, field: str, at: int, width: int) -> None:
        found[at] = (width, kinds.setdefault((table, field), len(kinds)))

    def walk(table: str, at: int) -> None:
        union = 0
        for f in schema.tables[table]:
            pos = reader.field(at, f.slot)
            if not pos:
                continue
            if f.base in _codec._SCALARS:
                add(table, f.name, pos, struct.calcsize(_codec._SCALARS[f.base]))
                union = metadata[pos] if f.base == _codec._UTYPE else union
            elif f.base == _codec._TABLE:
                walk(schema.table_list[f.index], reader.indirect(pos))
            elif f.base == _codec._UNION and union:
                walk(schema.enum_list[f.index].names[union], reader.indirect(pos))
            elif f.base == _codec._VECTOR:
                vector(table, f, reader.indirect(pos))

    def vector(table: str, f: _codec.Field, at: int) -> None:
        add(table, f.name + " count", at, 4)
        if f.element == _codec._TABLE:
            first, n = reader.vector(at, 4)
            for i in range(n):
                walk(schema.table_list[f.index], reader.indirect(first + 4 * i))
        elif f.element in _codec._SCALARS:
            width = struct.calcsize(_codec._SCALARS[f.element])
            first, n = reader.vector(at, width)
            for i in range(n):
                add(table, f.name, first + i * width, width)

    walk("Bundle", reader.indirect(0))
    rows = [(at + header.metadata_offset, width, kind) for at, (width, kind) in sorted(found.items())]
    return np.array(rows, FIELD)


# ---- edits of the tables ----


class Structural:
    """Makes variants of one bundle by editing its tables."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.header = Header.unpack(data, "base")
        at = self.header.metadata_offset
        self.root = _codec.decode("Bundle", memoryview(data)[at : at + self.header.metadata_size], IDENTIFIER)
        self.enums = {n: sorted(e.values) for e in _codec.schema().enums.values() for n in e.values}
        self.attributes = [i["attributes"] for p in self.root["programs"] for i in p["instructions"]]

    def variant(self, seed: int) -> bytes:
        """Returns the bytes of variant `seed`: one to three edits in a file that is otherwise sound."""
        rng = random.Random(seed)
        for _ in range(20):
            root = dict(self.root)
            for _ in range(rng.randint(1, 3)):
                self._edit(rng, root, "root", 0)
            try:
                return self._file(root)
            except (TealightError, struct.error, OverflowError, ValueError, TypeError, AttributeError, KeyError):
                continue  # the edit cannot be written down
        return self.data

    def _edit(self, rng: random.Random, owner: Any, key: Any, depth: int) -> None:
        """Edits something below a container that is a copy already; copies what it goes through."""
        if isinstance(owner, dict):
            names = [k for k, v in owner.items() if v not in (None, [], {})]
            name = "programs" if depth == 0 and rng.random() < 0.9 else rng.choice(names or list(owner) or [None])
            if name is None:
                return
        elif isinstance(owner, list):
            if not owner or rng.random() < 0.15:
                self._edit_list(rng, owner)
                return
            name = rng.randrange(len(owner))
        else:
            return
        child = owner[name]
        if isinstance(child, dict | list):
            owner[name] = child = child.copy()
            self._edit(rng, child, name, depth + 1)
        elif isinstance(child, tuple):
            owner[name] = self._edit_union(rng, child)
        else:
            owner[name] = self._leaf(rng, child)

    def _edit_list(self, rng: random.Random, items: list[Any]) -> None:
        choice = rng.randrange(5)
        if not items or choice == 0:
            items.insert(rng.randint(0, len(items)), rng.choice(items) if items else self._number(rng))
        elif choice == 1:
            del items[rng.randrange(len(items))]
        elif choice == 2:
            a, b = rng.randrange(len(items)), rng.randrange(len(items))
            items[a], items[b] = items[b], items[a]
        elif choice == 3:
            items[rng.randrange(len(items))] = rng.choice(items)
        else:
            del items[rng.randrange(len(items)) :]

    def _edit_union(self, rng: random.Random, child: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
        name, table = child
        choice = rng.random()
        if choice < 0.15 and self.attributes:
            return rng.choice(self.attributes)  # type: ignore[no-any-return]
        if choice < 0.25:
            return rng.choice(sorted(_codec.schema().ops.values())), {}
        table = dict(table)
        for _ in range(rng.randint(1, 2)):
            self._edit(rng, table, name, 9)
        return name, table

    def _leaf(self, rng: random.Random, value: Any) -> Any:
        if isinstance(value, bool):
            return not value
        if isinstance(value, int):
            return value + rng.choice((-2, -1, 1, 2)) if rng.random() < 0.5 else self._number(rng)
        if isinstance(value, float):
            return rng.choice(_FLOATS) if rng.random() < 0.7 else value * rng.choice((-1, 2, 1e10))
        if isinstance(value, str):
            return rng.choice(self.enums[value]) if value in self.enums else rng.choice(("", "x" * 5000, "a\0b", "é"))
        return value

    @staticmethod
    def _number(rng: random.Random) -> int:
        return rng.choice(_NUMBERS) if rng.random() < 0.6 else rng.randrange(-4, 300)

    def _file(self, root: dict[str, Any]) -> bytes:
        """Writes the metadata before the data of the base; constants that were not edited keep their bytes."""
        metadata = _codec.encode("Bundle", root, IDENTIFIER)
        start = align(HEADER_BYTES + len(metadata), PAGE if self.header.data_size > PAGE else ALIGN)
        if start != self.header.data_offset:
            moved = [{**c, "offset": c["offset"] + start - self.header.data_offset} for c in root["constants"]]
            metadata = _codec.encode("Bundle", {**root, "constants": moved}, IDENTIFIER)
        payload = self.data[self.header.data_offset :]
        size = start + len(payload)
        header = Header(size, len(metadata), start, self.header.data_size, bytes(32)).pack()
        return header + metadata + bytes(start - HEADER_BYTES - len(metadata)) + payload


def structural(data: bytes) -> Callable[[int], bytes]:
    """Returns a function from seeds to variants of a bundle."""
    return Structural(data).variant


def stream(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Yields variants as fuzz_bundle reads them: the size (u64), then the bytes."""
    make = structural(data)
    for i in range(count):
        variant = make(seed * 1000003 + i)
        yield struct.pack("<Q", len(variant)) + variant


def main() -> None:
    """Writes variants to stdout."""
    with open(sys.argv[1], "rb") as f:
        data = f.read()
    for chunk in stream(data, int(sys.argv[2]), int(sys.argv[3])):
        sys.stdout.buffer.write(chunk)


if __name__ == "__main__":
    main()
