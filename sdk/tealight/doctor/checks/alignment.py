# SPDX-License-Identifier: Apache-2.0
"""Alignment for pages of 16 KiB (Android 15): a library that is aligned for 4 KiB does not load there."""

from __future__ import annotations

from collections.abc import Iterator

from tealight.doctor.findings import Finding, error, ok
from tealight.doctor.package import Library, Package

PAGE = 16384
_NAME = "alignment"


def check(package: Package) -> Iterator[Finding]:
    """Checks the segments of every library."""
    for library in package.libraries:
        yield _segments(library)


def _segments(library: Library) -> Finding:
    loads = library.elf.loads
    if library.elf.bits == 32:
        return ok(_NAME, library.name, "32 bit: always runs with pages of 4 KiB")
    smallest = min((s.align for s in loads), default=0)
    if smallest < PAGE or any(s.align % PAGE for s in loads):
        return error(
            _NAME, library.name,
            f"segments aligned to {smallest} bytes, must be {PAGE}; link with -Wl,-z,max-page-size={PAGE}",
        )  # fmt: skip
    for s in loads:
        if (s.address - s.offset) % s.align:
            return error(
                _NAME, library.name,
                f"segment at byte {s.offset} for address {s.address:#x}, must be the same modulo {s.align}; link again",
            )  # fmt: skip
    return ok(_NAME, library.name, f"segments aligned to {smallest} bytes")
