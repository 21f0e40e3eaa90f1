# SPDX-License-Identifier: Apache-2.0
"""Exported symbols and left-over symbol tables of the libraries of Tealight."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tealight.doctor.findings import Finding, error, ok, warning
from tealight.doctor.package import Library, Package

_NAME = "symbols"
_ALLOWED = re.compile(r"tl_\w+|JNI_OnLoad|JNI_OnUnload")
_SHOWN = 3


def check(package: Package) -> Iterator[Finding]:
    """Checks that only tl_* and JNI_OnLoad are exported, and that the library is stripped."""
    for library in package.libraries:
        if library.is_ours:
            yield _exports(library)
            if not library.is_for_linking:  # Gradle keeps symbols there
                yield _tables(library)


def _exports(library: Library) -> Finding:
    names = library.elf.exports
    strange = [n for n in names if not _ALLOWED.fullmatch(n)]
    if strange:
        more = f" and {len(strange) - _SHOWN} more" if len(strange) > _SHOWN else ""
        return error(
            _NAME, library.name,
            f"exports {', '.join(strange[:_SHOWN])}{more}, must export only tl_* and JNI_OnLoad (others clash with "
            "those of the app); link with native/api/exports.map",
        )  # fmt: skip
    if not names:
        return error(_NAME, library.name, "exports nothing, must export tl_* or JNI_OnLoad")
    return ok(_NAME, library.name, f"exports {len(names)} functions, all of Tealight")


def _tables(library: Library) -> Finding:
    size = library.elf.section_bytes(".symtab", ".strtab", ".debug_")
    if size:
        return warning(
            _NAME, library.name,
            f"not stripped: {size} bytes of symbols and debug information, expected none in what is shipped; run "
            "llvm-strip --strip-unneeded and keep the original for stack traces",
        )  # fmt: skip
    return ok(_NAME, library.name, "stripped")
