# SPDX-License-Identifier: Apache-2.0
"""The C API as bindings see it: the header, what the libraries export and need, equal numbers in all languages."""

from __future__ import annotations

import functools
import pathlib
import re
import subprocess

import cffi
import pytest

from tealight.doctor import elf

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADER = ROOT / "native" / "include" / "tealight.h"
JAVA = ROOT / "android" / "tealight" / "src" / "main" / "java" / "dev" / "tealight"
SWIFT = ROOT / "ios" / "Sources" / "Tealight"
LIBRARIES = [
    pathlib.Path(build, name)
    for build in ("host", "arm64", "armv7")
    for name in ("libtealight.so", "libtealight_jni.so")
]
PT_GNU_RELRO = 0x6474E552
PAGE = 16384

each_library = pytest.mark.parametrize("path", LIBRARIES, ids=str)


def declared() -> set[str]:
    """Returns the functions of the header."""
    return set(re.findall(r"TL_API [^;(]*?(tl_\w+)\(", HEADER.read_text()))


@functools.cache
def library(path: pathlib.Path) -> elf.Elf:
    """Returns a library that was built."""
    file = ROOT / "build" / path
    if not file.exists():
        pytest.skip(f"build/{path} is not built; tools/test builds it")
    return elf.read(file.read_bytes(), str(path))


# ---- the libraries ----


@each_library
def test_exports_are_those_of_the_header(path):
    assert set(library(path).exports) == declared() | ({"JNI_OnLoad"} if "jni" in path.name else set())


# glibc 2.34 and later has libdl and libpthread in libc; 32-bit ARM's loader is named where a program asks for
# thread-local storage or the like. Android's names are libc.so, libm.so, libdl.so, liblog.so.
@each_library
def test_needs_only_the_c_library(path):
    assert set(library(path).needed) <= {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0"}


@each_library
def test_segments_suit_pages_of_16_kib(path):
    found = library(path)
    assert found.loads and all(s.align >= PAGE for s in found.loads)
    # Android protects whole pages, the last one too: what follows must not be on it.
    assert all((s.address + s.file_bytes) % PAGE == 0 for s in found.segments if s.kind == PT_GNU_RELRO)


@each_library
def test_code_is_never_written(path):
    found = library(path)
    assert not found.text_relocations
    assert not any(s.flags & elf.PF_W and s.flags & elf.PF_X for s in found.loads)


@each_library
def test_no_static_initialisers(path):
    # The C start-up code has one; on arm64 libgcc has one that asks for atomic instructions.
    pointers = 2 if path.parts[0] == "arm64" else 1
    assert library(path).section_bytes(".init_array", ".ctors") <= pointers * library(path).bits // 8


# ---- the header ----


@pytest.mark.parametrize(("compiler", "standard", "suffix"), [("gcc", "c99", ".c"), ("g++", "c++17", ".cc")])
def test_header_compiles(tmp_path, compiler, standard, suffix):
    source = tmp_path / f"x{suffix}"
    names = "\n".join(f"  count += {name} != 0;" for name in sorted(declared()))
    source.write_text(f'#include "tealight.h"\nint main(void) {{\n  int count = 0;\n{names}\n  return count;\n}}\n')
    flags = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wno-address", "-fsyntax-only"]
    subprocess.run([compiler, f"-std={standard}", *flags, "-I", str(HEADER.parent), str(source)], check=True)


def test_declarations_are_readable_by_cffi():
    text = HEADER.read_text()
    region = text[text.index("/* cdef-begin */") : text.index("/* cdef-end */")].replace("TL_API ", "")
    assert "#" not in re.sub(r"/\*.*?\*/", "", region, flags=re.S)
    ffi = cffi.FFI()
    ffi.cdef(region)
    assert ffi.sizeof("tl_error") == 260


def test_every_function_says_which_threads_may_call_it():
    text = HEADER.read_text()
    text = text[text.index("/* ---- library ---- */") : text.index("/* cdef-end */")]
    text = re.sub(r"typedef (struct|enum) \w+ \{.*?\} \w+;", "", text, flags=re.S)
    word = ""
    for part in re.findall(r"/\*.*?\*/|TL_API .*?;|\n\n", text, flags=re.S):
        if part.startswith("/*"):
            word = next(iter(re.findall(r"\[(any|one|last)\] \*/$", part)), "")
        elif part.startswith("TL_API"):
            assert word, f"{part}: no thread word, expected [any], [one] or [last] at the end of its comment"
        else:
            word = ""


# ---- the same numbers in every language ----


def c_enum(name: str, prefix: str) -> dict[str, int]:
    """Returns the values of an enum of the header, without the prefix of their names."""
    body = re.search(rf"typedef enum {name} {{(.*?)}} {name};", HEADER.read_text(), flags=re.S)
    assert body is not None
    return {k: int(v) for k, v in re.findall(rf"{prefix}(\w+) = (\d+)", body[1])}


def statuses() -> dict[str, int]:
    """Returns the error codes."""
    return c_enum("tl_status", "TL_ERROR_")


def java_enum(name: str) -> dict[str, int]:
    """Returns the constants of an enum in Java with their numbers; negative ones are Java's own."""
    path = JAVA / f"{name}.java"
    found = re.findall(r"^  ([A-Z][A-Z0-9_]*)(?:\((-?\d+)\b[^)]*\))?[,;]?$", path.read_text(), flags=re.M)
    numbers = {k: int(v) if v else i for i, (k, v) in enumerate(found)}
    return {k: v for k, v in numbers.items() if v >= 0}


def swift_codes() -> dict[str, int]:
    """Returns the codes of Swift's TealightError; negative ones are Swift's own."""
    path = SWIFT / "TealightError.swift"
    found = re.findall(r"static let (\w+) = Code\(rawValue: (-?\d+)\)", path.read_text())
    return {re.sub(r"([A-Z])", r"_\1", k).upper(): int(v) for k, v in found if int(v) >= 0}


def test_error_codes_are_equal_in_java():
    assert java_enum("ErrorCode") == statuses()


def test_error_codes_are_equal_in_swift():
    assert swift_codes() == statuses()


def test_error_codes_have_their_names(native):
    from tealight.emulator import _ffi

    ffi, lib = _ffi.load()
    for name, code in {"OK": 0, **statuses()}.items():
        assert ffi.string(lib.tl_status_name(code)).decode() == name
    assert all(lib.tl_status_name(code) == ffi.NULL for code in range(1000) if code not in {0, *statuses().values()})


def test_dtypes_are_equal_in_java():
    found = java_enum("DataType")
    assert found == {k: v for k, v in c_enum("tl_dtype", "TL_DTYPE_").items() if k != "NONE"}


@pytest.mark.parametrize(("java", "name", "prefix"), [
    ("PowerMode", "tl_power_mode", "TL_POWER_"), ("Backend", "tl_backend", "TL_BACKEND_"),
    ("LogLevel", "tl_log_level", "TL_LOG_"),
])  # fmt: skip
def test_options_are_equal_in_java(java, name, prefix):
    assert java_enum(java) == c_enum(name, prefix)


def test_dtypes_are_equal_in_swift():
    path = SWIFT / "DataType.swift"
    found = re.findall(r"static let (\w+) = DataType\(TL_DTYPE_(\w+)\)", path.read_text())
    assert all(swift.upper() == c for swift, c in found)
    assert {c for _, c in found} == c_enum("tl_dtype", "TL_DTYPE_").keys() - {"NONE"}


def test_power_modes_are_equal_in_swift():
    path = SWIFT / "Session+Options.swift"
    body = re.search(r"enum PowerMode: UInt32.*?\n  }", path.read_text(), flags=re.S)
    assert body is not None
    found = {name.upper(): i for i, name in enumerate(re.findall(r"^    case (\w+)$", body[0], flags=re.M))}
    assert found == c_enum("tl_power_mode", "TL_POWER_")
