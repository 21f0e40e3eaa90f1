# SPDX-License-Identifier: Apache-2.0
"""The C API as bindings see it: exported symbols, C99 and C++17 compilation, dependencies, alignment."""

from __future__ import annotations

import pathlib
import re
import subprocess

import cffi
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADER = ROOT / "native" / "include" / "tealight.h"
LIBRARY = ROOT / "build" / "host" / "libtealight.so"


def read(*command: object) -> str:
    """Returns what a tool prints about the library."""
    if not LIBRARY.exists():
        pytest.skip("build/host/libtealight.so is not built; tools/test builds it")
    return subprocess.run([*map(str, command), str(LIBRARY)], capture_output=True, text=True, check=True).stdout


def test_exported_symbols_are_those_of_the_header():
    declared = set(re.findall(r"TL_API [^;(]*?(tl_\w+)\(", HEADER.read_text()))
    rows = [line.split() for line in read("nm", "-D", "--defined-only").splitlines()]
    assert {row[-1].split("@")[0] for row in rows if row[-2] in "TDBVWR"} == declared


def test_library_needs_only_the_c_library():
    needed = set(re.findall(r"NEEDED.*\[(.*?)\]", read("readelf", "-d")))
    assert needed <= {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "ld-linux-x86-64.so.2"}


def test_segments_are_aligned_for_16_kib_pages():
    alignments = [
        int(row.split()[-1], 16) for row in read("readelf", "-lW").splitlines() if row.strip().startswith("LOAD")
    ]
    assert alignments and all(a >= 16384 for a in alignments)


def test_library_has_no_static_initialisers():
    sizes = re.findall(r"(\.init_array|\.ctors)\s+\S+\s+\S+\s+\S+\s+(\S+)", read("readelf", "-SW"))
    assert all(name == ".init_array" and int(size, 16) <= 8 for name, size in sizes)  # the C start-up code has one


@pytest.mark.parametrize(("compiler", "standard", "suffix"), [("gcc", "c99", ".c"), ("g++", "c++17", ".cc")])
def test_header_compiles(tmp_path, compiler, standard, suffix):
    source = tmp_path / f"x{suffix}"
    source.write_text('#include "tealight.h"\nint main(void) { return tl_version() == 0; }\n')
    flags = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]
    subprocess.run([compiler, f"-std={standard}", *flags, "-I", str(HEADER.parent), str(source)], check=True)


def test_declarations_are_readable_by_cffi():
    text = HEADER.read_text()
    region = text[text.index("/* cdef-begin */") : text.index("/* cdef-end */")].replace("TL_API ", "")
    assert "#" not in re.sub(r"/\*.*?\*/", "", region, flags=re.S)
    ffi = cffi.FFI()
    ffi.cdef(region)
    assert ffi.sizeof("tl_error") == 260
