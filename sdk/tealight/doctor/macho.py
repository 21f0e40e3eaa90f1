# SPDX-License-Identifier: Apache-2.0
"""Mach-O files as far as the checks need them: processor, platform and exported symbols of what is inside.

Reads thin and fat libraries, and archives (.a) of objects (Apple, mach-o/loader.h, mach-o/fat.h, ar.h; the platform
is that of the first object in an archive).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from tealight.doctor.fields import Fields

ARCHIVE_MAGIC = b"!<arch>\n"
_THIN = 0xFEEDFACF
_FAT = {0xCAFEBABE: ("IIIII", 20), 0xCAFEBABF: ("IIQQII", 32)}
_ARCHS = {0x0100000C: "arm64", 0x01000007: "x86_64", 0x0200000C: "arm64_32", 12: "armv7", 7: "i386"}
_PLATFORMS = {
    1: "macos", 2: "ios", 3: "tvos", 4: "watchos", 6: "maccatalyst", 7: "ios simulator", 8: "tvos simulator",
    9: "watchos simulator", 11: "xros", 12: "xros simulator",
}  # fmt: skip
_LC_SYMTAB, _LC_BUILD_VERSION = 0x02, 0x32
_OLD_PLATFORMS = {0x24: "macos", 0x25: "ios"}  # LC_VERSION_MIN_…
_MH_DYLIB = 6
_MAX_SLICES, _MAX_COMMANDS, _MAX_MEMBERS, _MAX_SYMBOLS, _MAX_EXPORTS = 16, 1000, 10_000, 500_000, 4096


@dataclasses.dataclass(frozen=True)
class Image:
    """The code for one processor.

    Attributes:
        arch: "arm64", "x86_64" …
        platform: "ios", "ios simulator", "macos" …; empty where the file does not say.
        is_dynamic: Whether it is a dynamic library.
        exports: Of a dynamic library: the names that others see.
    """

    arch: str
    platform: str
    is_dynamic: bool
    exports: tuple[str, ...]


def read(data: bytes, name: str) -> tuple[Image, ...]:
    """Returns what a library or archive holds.

    Raises:
        TealightError: It is neither, or damaged.
    """
    big = Fields(data, name, ">")
    (magic,) = big.at("I", 0, "magic")
    if magic not in _FAT:
        return (_one(data, name),)
    kinds, size = _FAT[magic]
    (count,) = big.at("I", 4, "number of slices")
    if not 1 <= count <= _MAX_SLICES:
        raise big.error(f"{count} slices", f"1 to {_MAX_SLICES}")
    images = []
    for i in range(count):
        _, _, offset, length, *_ = big.at(kinds, 8 + i * size, f"slice {i}")
        images.append(_one(big.span(offset, length, f"slice {i}"), f"{name} slice {i}"))
    return tuple(images)


def _one(data: bytes, name: str) -> Image:
    if not data.startswith(ARCHIVE_MAGIC):
        return _image(Fields(data, name))
    f = Fields(data, name)
    for member, offset, size in _members(f):
        if f.data[offset : offset + 4] == _THIN.to_bytes(4, "little"):
            return _image(Fields(f.span(offset, size, member), f"{name} member {member!r}"))
    raise f.error("an archive without Mach-O objects", "one of the objects of a library for Apple's systems")


def _members(f: Fields) -> Iterator[tuple[str, int, int]]:
    at = len(ARCHIVE_MAGIC)
    for _ in range(_MAX_MEMBERS):
        if at + 60 > len(f.data):
            return
        header = f.span(at, 60, "member")
        digits, end = header[48:58].strip(), header[58:60]
        if end != b"`\n" or not digits.isdigit():
            raise f.error(f"member at byte {at} with header {header!r}", "a size and its end mark")
        size = int(digits)
        f.check(at + 60, size, "member")
        name, offset, length = header[:16].strip().decode("ascii", "replace"), at + 60, size
        if name.startswith("#1/") and name[3:].isdigit():  # BSD: the name comes first in the data
            skip = min(int(name[3:]), size)
            name = f.span(offset, skip, "member name").rstrip(b"\0").decode("utf-8", "replace")
            offset, length = offset + skip, length - skip
        yield name, offset, length
        at += 60 + size + size % 2
    raise f.error(f"over {_MAX_MEMBERS} members", "fewer")


def _image(f: Fields) -> Image:
    magic, cpu, _, kind, count, size, _, _ = f.at("8I", 0, "Mach-O header")
    if magic != _THIN:
        raise f.error(f"begins with {f.data[:4]!r}", "a 64-bit Mach-O file, a fat one, or an archive")
    if count > _MAX_COMMANDS or 32 + size > len(f.data):
        raise f.error(f"{count} load commands in {size} bytes", f"at most {_MAX_COMMANDS} in the file")
    platform = ""
    exports: tuple[str, ...] = ()
    at, end = 32, 32 + size
    for i in range(count):
        command, length = f.at("II", at, f"load command {i}")
        if length < 8 or at + length > end:
            raise f.error(f"load command {i} of {length} bytes", f"8 to {end - at}")
        if command == _LC_BUILD_VERSION:
            (number,) = f.at("I", at + 8, "platform")
            platform = _PLATFORMS.get(number, f"platform {number}")
        elif command in _OLD_PLATFORMS:
            platform = _OLD_PLATFORMS[command]
        elif command == _LC_SYMTAB and kind == _MH_DYLIB:
            exports = _exports(f, at)
        at += length
    return Image(_ARCHS.get(cpu, f"cpu {cpu:#x}"), platform, kind == _MH_DYLIB, exports)


def _exports(f: Fields, at: int) -> tuple[str, ...]:
    table, count, strings, size = f.at("IIII", at + 8, "symbol table")
    if count > _MAX_SYMBOLS:
        raise f.error(f"{count} symbols", f"at most {_MAX_SYMBOLS}")
    f.check(table, 16 * count, "symbols")
    f.check(strings, size, "names of symbols")
    found = []
    for i in range(count):
        name, kind, *_ = f.at("IBBHQ", table + 16 * i, "symbol")
        # Defined in a section, external, not private to the library, no debugging entry.
        if kind & 0xE0 == 0 and kind & 0x1F == 0x0F:
            found.append(f.text(strings + name, strings + size, "name of a symbol"))
            if len(found) > _MAX_EXPORTS:
                raise f.error(f"over {_MAX_EXPORTS} exported symbols", "fewer in a library of Tealight")
    return tuple(sorted(found))
