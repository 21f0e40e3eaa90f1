# SPDX-License-Identifier: Apache-2.0
"""The ELF reader: real libraries of several processors, and damaged ones."""

from __future__ import annotations

import random
import struct

import pytest
from sdk.doctor.libraries import library

from tealight.doctor import elf
from tealight.errors import TealightError

COMPILERS = {
    "gcc": ("x86_64", 64),
    "aarch64-linux-gnu-gcc": ("arm64-v8a", 64),
    "arm-linux-gnueabihf-gcc": ("armeabi-v7a", 32),
}


@pytest.mark.parametrize("compiler", COMPILERS)
def test_reads_what_a_compiler_wrote(tmp_path, compiler):
    flags = ["-Wl,--no-as-needed", "-lm", "-Wl,-soname,libx.so", "-Wl,-z,noexecstack"]
    path = library(
        tmp_path, *flags, extra="static int hidden; int* tl_more(void) { return &hidden; }", compiler=compiler
    )
    found = elf.read(path.read_bytes(), "libx.so")
    assert (found.abi, found.bits) == COMPILERS[compiler]
    assert found.needed == ("libm.so.6",) and found.soname == "libx.so" and not found.text_relocations
    assert found.exports == ("tl_build_info", "tl_more", "tl_version")
    assert all(s.align == 16384 for s in found.loads) and len(found.loads) > 1
    assert found.section_bytes(".text") > 0 and found.section_bytes(".symtab") == 0


def test_sees_the_symbol_table(tmp_path):
    found = elf.read(library(tmp_path, "-g", strip=False).read_bytes(), "x")
    assert found.section_bytes(".symtab") > 0 and found.section_bytes(".debug_") > 0


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return library(tmp_path_factory.mktemp("elf"), "-Wl,--no-as-needed", "-lm").read_bytes()


def test_any_truncation_is_an_error(good):
    # What the sections end with is their table, so that every byte of the file counts.
    for size in [*range(0, 200), *range(200, len(good), 97)]:
        with pytest.raises(TealightError, match=r"x: .* expected .*"):
            elf.read(good[:size], "x")


def test_damage_gives_an_error_or_a_library(good):
    rng = random.Random(7)
    refused = 0
    for _ in range(3000):
        data = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            # Headers hold what the reader trusts: half of the damage goes there.
            at = rng.randrange(600 if rng.random() < 0.5 else len(data))
            data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        try:
            elf.read(bytes(data), "x")
        except TealightError as e:
            assert str(e).startswith("x: ")
            refused += 1
    assert refused > 300


@pytest.mark.parametrize(
    ("at", "kinds", "value", "message"),
    [
        (0, "4s", b"TEAL", r"begins with b'TEAL', expected b'\x7fELF'"),
        (4, "B", 3, "ELF class 3"),
        (5, "B", 2, "byte order 2"),
        (16, "<H", 2, "ELF type 2, expected 3"),
        (32, "<Q", 1 << 60, "program header 0 at byte"),
        (40, "<Q", (1 << 64) - 8, "section header 0 at byte"),
        (56, "<H", 0xFFFF, "65535 program headers"),
        (60, "<H", 0xFFFF, "65535 section headers"),
        (62, "<H", 0xFFF0, "section headers of 64 bytes"),
    ],
)
def test_every_rule_of_the_header(good, at, kinds, value, message):
    data = bytearray(good)
    struct.pack_into(kinds, data, at, value)
    with pytest.raises(TealightError, match=message.replace("\\x", r"\\x")):
        elf.read(bytes(data), "x")


def test_a_library_without_dynamic_segment_is_refused(good):
    data = bytearray(good)
    offset, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    for i in range(count):
        if struct.unpack_from("<I", data, offset + i * size)[0] == elf.PT_DYNAMIC:
            struct.pack_into("<I", data, offset + i * size, 0)
    with pytest.raises(TealightError, match="no dynamic segment"):
        elf.read(bytes(data), "x")
