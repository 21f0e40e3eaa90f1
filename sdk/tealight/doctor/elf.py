# SPDX-License-Identifier: Apache-2.0
"""Reads of an ELF shared library what the checks need: segments, dependencies, exported symbols, symbol tables.

Little-endian, 32 and 64 bit (System V gABI, chapters 4 and 5). Any damage is one TealightError.
"""

from __future__ import annotations

import dataclasses

from tealight.doctor.fields import Fields

MAGIC = b"\x7fELF"
#: e_machine -> Android's name of the ABI.
ABIS = {183: "arm64-v8a", 40: "armeabi-v7a", 62: "x86_64", 3: "x86", 243: "riscv64"}
PT_LOAD, PT_DYNAMIC = 1, 2
PF_X, PF_W = 1, 2
_SHT_SYMTAB, _SHT_DYNSYM = 2, 11
_DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_SONAME, _DT_TEXTREL, _DT_FLAGS = 1, 5, 10, 14, 22, 30
_DF_TEXTREL = 4
_MAX_SEGMENTS, _MAX_SECTIONS, _MAX_SYMBOLS, _MAX_DYNAMIC, _MAX_NAME_BYTES = 256, 4096, 500_000, 4096, 1 << 25


@dataclasses.dataclass(frozen=True)
class Segment:
    """A program header; offset, address and sizes in bytes."""

    kind: int
    flags: int
    offset: int
    address: int
    file_bytes: int
    align: int


@dataclasses.dataclass(frozen=True)
class Section:
    """A section header."""

    name: str
    kind: int
    offset: int
    size: int
    link: int
    entry_bytes: int


@dataclasses.dataclass(frozen=True)
class Elf:
    """A shared library.

    Attributes:
        abi: Android's name of the processor, or "machine N".
        bits: 32 or 64.
        segments: Program headers.
        sections: Section headers; empty where the file has none.
        needed: Names of the libraries it needs (DT_NEEDED).
        soname: Its own name; empty without.
        text_relocations: Whether code must be changed while loading.
        exports: Names of the defined symbols that others see.
    """

    abi: str
    bits: int
    segments: tuple[Segment, ...]
    sections: tuple[Section, ...]
    needed: tuple[str, ...]
    soname: str
    text_relocations: bool
    exports: tuple[str, ...]

    @property
    def loads(self) -> list[Segment]:
        """The segments that are mapped."""
        return [s for s in self.segments if s.kind == PT_LOAD]

    def section_bytes(self, *prefixes: str) -> int:
        """Returns the size of the sections with these beginnings of their names."""
        return sum(s.size for s in self.sections if s.name.startswith(prefixes))


def read(data: bytes, name: str) -> Elf:
    """Reads a library.

    Raises:
        TealightError: It is no little-endian ELF shared library, or it is damaged.
    """
    f = Fields(data, name)
    if f.span(0, 4, "magic") != MAGIC:
        raise f.error(f"begins with {data[:4]!r}", f"{MAGIC!r} of an ELF library")
    kind, order = f.at("BB", 4, "ELF class")
    if kind not in (1, 2) or order != 1:
        raise f.error(f"ELF class {kind}, byte order {order}", "class 1 or 2, order 1 (little-endian)")
    bits = 32 * kind
    header = f.at("HHIIIIIHHHHHH" if bits == 32 else "HHIQQQIHHHHHH", 16, "ELF header")
    e_type, machine, _, _, phoff, shoff, _, _, phentsize, phnum, shentsize, shnum, shstrndx = header
    if e_type != 3:
        raise f.error(f"ELF type {e_type}", "3 (a shared library)")
    segments = _segments(f, bits, phoff, phentsize, phnum)
    sections = _sections(f, bits, shoff, shentsize, shnum, shstrndx) if shoff else ()
    needed, soname, relocated = _dynamic(f, bits, segments)
    exports = _exports(f, bits, sections)
    return Elf(ABIS.get(machine, f"machine {machine}"), bits, segments, sections, needed, soname, relocated, exports)


def _segments(f: Fields, bits: int, offset: int, size: int, count: int) -> tuple[Segment, ...]:
    kinds = "IIIIIIII" if bits == 32 else "IIQQQQQQ"
    if count > _MAX_SEGMENTS or size != (32 if bits == 32 else 56):
        raise f.error(f"{count} program headers of {size} bytes", f"at most {_MAX_SEGMENTS} of 32 or 56")
    result = []
    for i in range(count):
        row = f.at(kinds, offset + i * size, f"program header {i}")
        if bits == 32:
            kind, at, address, _, file_bytes, _, flags, align = row
        else:
            kind, flags, at, address, _, file_bytes, _, align = row
        f.check(at, file_bytes, f"segment {i}")
        result.append(Segment(kind, flags, at, address, file_bytes, align))
    return tuple(result)


def _sections(f: Fields, bits: int, offset: int, size: int, count: int, names: int) -> tuple[Section, ...]:
    kinds = "IIIIIIIIII" if bits == 32 else "IIQQQQIIQQ"
    if count > _MAX_SECTIONS or size != (40 if bits == 32 else 64) or (count and names >= count):
        raise f.error(f"{count} section headers of {size} bytes", f"at most {_MAX_SECTIONS} of 40 or 64, with names")
    rows = [f.at(kinds, offset + i * size, f"section header {i}") for i in range(count)]
    result = []
    for i, (name, kind, _, _, at, length, link, _, _, entry) in enumerate(rows):
        if kind != 8:  # SHT_NOBITS takes no bytes of the file
            f.check(at, length, f"section {i}")
        start = rows[names][4]
        text = f.text(start + name, start + rows[names][5], f"name of section {i}") if kind else ""
        result.append(Section(text, kind, at, length, link, entry))
    return tuple(result)


def _dynamic(f: Fields, bits: int, segments: tuple[Segment, ...]) -> tuple[tuple[str, ...], str, bool]:
    """Returns the needed libraries, the soname, and whether text is relocated."""
    table = next((s for s in segments if s.kind == PT_DYNAMIC), None)
    if table is None:
        raise f.error("no dynamic segment", "that of a shared library")
    size = bits // 4
    count = table.file_bytes // size
    if count > _MAX_DYNAMIC:
        raise f.error(f"{count} dynamic entries", f"at most {_MAX_DYNAMIC}")
    entries: list[tuple[int, int]] = []
    for i in range(count):
        tag, value = f.at("II" if bits == 32 else "QQ", table.offset + i * size, f"dynamic entry {i}")
        if tag == 0:
            break
        entries.append((tag, value))
    last = dict(entries)
    relocated = _DT_TEXTREL in last or bool(last.get(_DT_FLAGS, 0) & _DF_TEXTREL)
    if _DT_STRTAB not in last:
        return (), "", relocated
    start = _file_offset(f, segments, last[_DT_STRTAB])
    end = start + last.get(_DT_STRSZ, 0)
    needed = tuple(f.text(start + v, end, "name of a needed library") for t, v in entries if t == _DT_NEEDED)
    soname = f.text(start + last[_DT_SONAME], end, "soname") if _DT_SONAME in last else ""
    return needed, soname, relocated


def _file_offset(f: Fields, segments: tuple[Segment, ...], address: int) -> int:
    for s in segments:
        if s.kind == PT_LOAD and s.address <= address < s.address + s.file_bytes:
            return s.offset + address - s.address
    raise f.error(f"string table at address {address:#x}", "it in a segment that is loaded")


def _exports(f: Fields, bits: int, sections: tuple[Section, ...]) -> tuple[str, ...]:
    table = next((s for s in sections if s.kind == _SHT_DYNSYM), None)
    if table is None:
        return ()
    size = 16 if bits == 32 else 24
    count = table.size // size
    if table.link >= len(sections) or table.entry_bytes != size or count > _MAX_SYMBOLS:
        raise f.error(f"{count} dynamic symbols of {table.entry_bytes} bytes", f"at most {_MAX_SYMBOLS} of {size}")
    strings = sections[table.link]
    found: list[str] = []
    name_bytes = 0
    for i in range(1, count):
        row = f.at("IIIBBH" if bits == 32 else "IBBHQQ", table.offset + i * size, f"symbol {i}")
        name, info, other, section = (row[0], *row[3:6]) if bits == 32 else row[:4]
        # Defined, not local, of default or protected visibility.
        if section != 0 and info >> 4 != 0 and other & 3 in (0, 3):
            found.append(f.text(strings.offset + name, strings.offset + strings.size, f"name of symbol {i}"))
            name_bytes += len(found[-1])
            if name_bytes > _MAX_NAME_BYTES:
                raise f.error("more symbol names than fit", f"at most {_MAX_NAME_BYTES} bytes of them")
    return tuple(sorted(found))
