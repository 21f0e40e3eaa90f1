# SPDX-License-Identifier: Apache-2.0
"""The entries of a .apk or .aar (zip): where their bytes lie, and their contents within limits."""

from __future__ import annotations

import contextlib
import dataclasses
import mmap
import struct
import zipfile
import zlib
from collections.abc import Iterator

from tealight.errors import TealightError

_MAX_ENTRIES = 100_000
_LOCAL_HEADER = struct.Struct("<4s22xHH")
#: What zipfile raises for damaged, encrypted or unknown entries.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError, EOFError, ValueError, OSError,
    OverflowError,
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Entry:
    """A file in an archive.

    Attributes:
        name: Its path.
        size: Bytes when unpacked.
        compressed: Whether it must be unpacked; else its bytes lie in the archive as they are.
        offset: Where they begin in the archive.
    """

    name: str
    size: int
    compressed: bool
    offset: int


class Archive:
    """An open archive.

    Attributes:
        entries: Files by path.
    """

    def __init__(self, path: str, name: str, budget: int) -> None:
        """Opens it; budget is how many bytes may be unpacked in all."""
        self._name = name
        self._budget = budget
        with self._checked("central directory"):
            self._zip = zipfile.ZipFile(path)
        with open(path, "rb") as f:
            self._bytes = memoryview(mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ))
        try:
            self.entries = self._entries()
        except BaseException:
            self.close()
            raise

    def _entries(self) -> dict[str, Entry]:
        infos = self._zip.infolist()
        if len(infos) > _MAX_ENTRIES:
            raise TealightError(f"{self._name}: {len(infos)} entries, expected at most {_MAX_ENTRIES}")
        entries: dict[str, Entry] = {}
        for info in infos:
            if info.filename in entries or not info.filename:
                raise TealightError(f"{self._name}: entry {info.filename!r}, expected one of each name; is it damaged?")
            if not info.filename.endswith("/"):
                entries[info.filename] = self._entry(info)
        return entries

    def _entry(self, info: zipfile.ZipInfo) -> Entry:
        at = info.header_offset
        if not 0 <= at <= len(self._bytes) - _LOCAL_HEADER.size:
            raise TealightError(f"{self._name}: entry {info.filename!r} at byte {at}, expected it in the file")
        magic, name_bytes, extra_bytes = _LOCAL_HEADER.unpack_from(self._bytes, at)
        offset = at + _LOCAL_HEADER.size + name_bytes + extra_bytes
        if magic != b"PK\3\4" or offset + info.compress_size > len(self._bytes):
            raise TealightError(f"{self._name}: entry {info.filename!r} without its data; is the file damaged?")
        compressed = info.compress_type != zipfile.ZIP_STORED
        if not compressed and info.file_size != info.compress_size:
            raise TealightError(
                f"{self._name}: entry {info.filename!r} stored in {info.compress_size} bytes, expected {info.file_size}"
            )
        return Entry(info.filename, info.file_size, compressed, offset)

    def read(self, entry: Entry) -> bytes | memoryview:
        """Returns the contents: a view where they are not compressed.

        Raises:
            TealightError: The entry is damaged, or larger than what may still be unpacked.
        """
        if entry.compressed and entry.size > self._budget:
            raise TealightError(f"{entry.name}: {entry.size} bytes, expected at most {self._budget}; is it a bomb?")
        with self._checked(entry.name), self._zip.open(entry.name) as f:
            if not entry.compressed:
                while f.read(1 << 20):  # to the end, which compares the checksum
                    pass
                return self._bytes[entry.offset : entry.offset + entry.size]
            self._budget -= entry.size
            data = f.read(entry.size + 1)
        if len(data) != entry.size:
            raise TealightError(f"{entry.name}: {len(data)} bytes or more, expected {entry.size}; is it damaged?")
        return data

    @contextlib.contextmanager
    def _checked(self, what: str) -> Iterator[None]:
        try:
            yield
        except _DAMAGE as e:
            raise TealightError(f"{self._name}: {what}: {e}, expected a whole zip archive; is it damaged?") from e

    def close(self) -> None:
        """Closes the file; views of it stay valid."""
        self._zip.close()
