# SPDX-License-Identifier: Apache-2.0
"""Little-endian fields of a binary file, each access inside of the file or an error that names it."""

from __future__ import annotations

import struct

from tealight.errors import TealightError

_MAX_STRING_BYTES = 4096


class Fields:
    """The bytes of one file or part."""

    def __init__(self, data: bytes, name: str, endian: str = "<") -> None:
        self.data = data
        self.name = name
        self._endian = endian

    def error(self, found: str, expected: str) -> TealightError:
        """Returns the error for a damaged file."""
        return TealightError(f"{self.name}: {found}, expected {expected}; is the file damaged?")

    def at(self, kinds: str, offset: int, what: str) -> tuple[int, ...]:
        """Returns the fields of a struct format at an offset."""
        layout = struct.Struct(self._endian + kinds)
        if not 0 <= offset <= len(self.data) - layout.size:
            raise self.error(f"{what} at byte {offset}", f"it in a file of {len(self.data)} bytes")
        return layout.unpack_from(self.data, offset)

    def check(self, offset: int, size: int, what: str) -> None:
        """Raises where a span is not inside of the file."""
        if offset < 0 or size < 0 or offset + size > len(self.data):
            raise self.error(f"{what} at byte {offset} of {size} bytes", f"it in a file of {len(self.data)} bytes")

    def span(self, offset: int, size: int, what: str) -> bytes:
        """Returns a copy of bytes."""
        self.check(offset, size, what)
        return self.data[offset : offset + size]

    def text(self, offset: int, end: int, what: str) -> str:
        """Returns a string that ends with NUL before `end`."""
        end = min(end, len(self.data), offset + _MAX_STRING_BYTES)
        stop = self.data.find(b"\0", offset, end) if 0 <= offset < end else -1
        if stop < 0:
            raise self.error(f"{what} at byte {offset} without end", f"a NUL within {_MAX_STRING_BYTES} bytes")
        return self.data[offset:stop].decode("utf-8", "backslashreplace")
