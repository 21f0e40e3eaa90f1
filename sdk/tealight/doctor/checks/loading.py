# SPDX-License-Identifier: Apache-2.0
"""What the loader of a phone needs: libraries that are there, and a form that it accepts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tealight.doctor.elf import PF_W, PF_X
from tealight.doctor.findings import Finding, error, ok
from tealight.doctor.package import Library, Package

_NAME = "loading"
#: What the runtime and its binding may need on Android.
_ANDROID = {"libc.so", "libm.so", "libdl.so", "liblog.so", "libandroid.so", "libjnigraphics.so"}
#: The same on Linux.
_LINUX = re.compile(r"(libc\.so\.6|libm\.so\.6|libdl\.so\.2|libpthread\.so\.0|ld-linux[\w-]*\.so\.\d)")


def check(package: Package) -> Iterator[Finding]:
    """Checks dependencies, section headers, text relocations and segments that are written and run."""
    for library in package.libraries:
        problems = list(_problems(library))
        yield from problems
        if not problems:
            needed = ", ".join(library.elf.needed) or "nothing"
            yield ok(_NAME, library.name, f"{library.elf.abi}, needs {needed}")


def _problems(library: Library) -> Iterator[Finding]:
    for needed in library.elf.needed:
        if needed not in _ANDROID and not _LINUX.fullmatch(needed):
            yield error(
                _NAME, library.name,
                f"needs {needed}, expected only the system's C library, libm, libdl and liblog; link it statically, "
                "or not at all",
            )  # fmt: skip
    if not library.elf.sections:
        yield error(_NAME, library.name, "no section headers, Android refuses such a library; strip with llvm-strip")
    if library.elf.text_relocations:
        yield error(_NAME, library.name, "text relocations, Android refuses such a library; compile with -fPIC")
    if any(s.flags & PF_W and s.flags & PF_X for s in library.elf.loads):
        yield error(
            _NAME, library.name, "a segment that is written and run, Android refuses such a library; link again"
        )
