# SPDX-License-Identifier: Apache-2.0
"""What the loader of a phone needs: libraries that are there, and a form that it accepts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tealight.doctor.elf import PF_W, PF_X
from tealight.doctor.findings import Finding, Level, error, ok, warning
from tealight.doctor.package import Kind, Library, Package

_NAME = "loading"
#: What the runtime and its binding may need on Android.
_ANDROID = {"libc.so", "libm.so", "libdl.so", "liblog.so", "libandroid.so", "libjnigraphics.so"}
#: The same on Linux.
_LINUX = re.compile(r"(libc\.so\.6|libm\.so\.6|libdl\.so\.2|libpthread\.so\.0|ld-linux[\w-]*\.so\.\d)")


def check(package: Package) -> Iterator[Finding]:
    """Checks dependencies, section headers, text relocations and segments that are written and run."""
    for library in package.libraries:
        problems = [*_form(library), *(_needs(library, package) if library.is_ours else ())]
        yield from problems
        if all(p.level is Level.OK for p in problems):
            needed = ", ".join(library.elf.needed) or "nothing"
            yield ok(_NAME, library.name, f"{library.elf.abi}, needs {needed}")


def _needs(library: Library, package: Package) -> Iterator[Finding]:
    beside = {other.file_name for other in package.libraries if other.folder_abi == library.folder_abi}
    linux = [n for n in library.elf.needed if _LINUX.fullmatch(n)]
    for needed in library.elf.needed:
        if needed not in _ANDROID and needed not in beside and needed not in linux:
            yield error(
                _NAME, library.name,
                f"needs {needed}, expected only the system's C library, libm, libdl and liblog; link it statically, "
                "or not at all",
            )  # fmt: skip
    if linux and package.kind in (Kind.APK, Kind.AAR):
        report = warning if package.may_be_linux else error
        yield report(
            _NAME, library.name,
            f"needs {', '.join(linux)} of Linux, a phone has libc.so; build with the NDK (--linux-libraries accepts "
            "it in a package that only tests look at)",
        )  # fmt: skip


def _form(library: Library) -> Iterator[Finding]:
    if not library.elf.sections:
        yield error(_NAME, library.name, "no section headers, Android refuses such a library; strip with llvm-strip")
    if library.elf.text_relocations:
        yield error(_NAME, library.name, "text relocations, Android refuses such a library; compile with -fPIC")
    if any(s.flags & PF_W and s.flags & PF_X for s in library.elf.loads):
        yield error(
            _NAME, library.name, "a segment that is written and run, Android refuses such a library; link again"
        )
