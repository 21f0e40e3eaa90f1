# SPDX-License-Identifier: Apache-2.0
"""Whether an Android package has the runtime for every processor that it may meet."""

from __future__ import annotations

from collections.abc import Iterator

from tealight.doctor.findings import Finding, error, ok, warning
from tealight.doctor.package import Kind, Package

_NAME = "abis"
_OPTIONAL = {"armeabi-v7a": "32-bit phones", "x86_64": "emulators and Chromebooks"}


def check(package: Package) -> Iterator[Finding]:
    """Compares the folders of libraries with the processors."""
    if package.kind not in (Kind.APK, Kind.AAR):
        return
    folders = {library.folder_abi for library in package.libraries}
    ours = {library.folder_abi for library in package.libraries if library.is_ours}
    for library in package.libraries:
        if library.elf.abi != library.folder_abi:
            yield error(
                _NAME,
                library.name,
                f"built for {library.elf.abi}, must be for {library.folder_abi}; copy the right one",
            )
    if "arm64-v8a" not in ours:
        found = ", ".join(sorted(ours)) or "no runtime at all"
        yield error(_NAME, "", f"{found}, must have libtealight for arm64-v8a; every phone of today needs it")
    else:
        yield ok(_NAME, "", f"runtime for {', '.join(sorted(ours))}")
    for abi in sorted(folders - ours):
        yield error(
            _NAME, abi,
            f"other libraries, but not Tealight's: a phone that takes this folder finds no runtime; add {abi}, or "
            "leave it out with ndk.abiFilters",
        )  # fmt: skip
    for abi, what in _OPTIONAL.items():
        if abi not in folders:
            yield warning(_NAME, abi, f"not in the package, expected where {what} are wanted")
