# SPDX-License-Identifier: Apache-2.0
"""Alignment for pages of 16 KiB (Android 15), of segments in libraries and of libraries and bundles in packages."""

from __future__ import annotations

from collections.abc import Iterator

from tealight.bundle.format import ALIGN
from tealight.doctor.archive import Entry
from tealight.doctor.findings import Finding, error, ok, warning
from tealight.doctor.package import Kind, Library, Model, Package

PAGE = 16384
_SMALL_PAGE = 4096
_NAME = "alignment"


def check(package: Package) -> Iterator[Finding]:
    """Checks the segments of every library, and where libraries and bundles begin in an .apk."""
    for library in package.libraries:
        yield _segments(library)
        if package.kind is Kind.APK and library.entry is not None:
            yield _packed_library(library, library.entry, package)
    for model in package.models:
        if model.entry is not None:
            yield _packed_model(model, model.entry, package)


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


def _packed_library(library: Library, entry: Entry, package: Package) -> Finding:
    unpacked = package.manifest is None or package.manifest.extract_native_libs is not False
    if entry.compressed:
        if unpacked:
            return warning(
                _NAME, library.name,
                "compressed: the phone keeps an unpacked copy, expected a library that is mapped from the .apk; set "
                'android:extractNativeLibs="false" (packaging.jniLibs.useLegacyPackaging = false)',
            )  # fmt: skip
        return error(
            _NAME, library.name,
            "compressed with extractNativeLibs=false, must be stored; pack it with Gradle, or zip -0 and zipalign",
        )  # fmt: skip
    page = PAGE if library.elf.bits == 64 else _SMALL_PAGE
    if entry.offset % page:
        report = warning if unpacked else error
        return report(
            _NAME, library.name,
            f"at byte {entry.offset} of the package, must be a multiple of {page}; run zipalign -P 16 4",
        )  # fmt: skip
    return ok(_NAME, library.name, f"at a multiple of {page} in the package")


def _packed_model(model: Model, entry: Entry, package: Package) -> Finding:
    if package.kind is Kind.AAR:
        return ok(_NAME, model.name, 'Gradle packs it anew: apps need androidResources { noCompress += "tea" }')
    if entry.compressed:
        return warning(
            _NAME, model.name,
            "compressed: it must be unpacked before use, expected a stored asset that is mapped; "
            'set androidResources { noCompress += "tea" }, or open it with AssetModels.loadThroughCache',
        )  # fmt: skip
    if entry.offset % ALIGN:
        return warning(
            _NAME, model.name,
            f"at byte {entry.offset} of the package: it is copied to memory when opened, expected a multiple of "
            f"{ALIGN} to be mapped; open it with AssetModels.loadThroughCache, or run zipalign -P 16 {ALIGN}",
        )  # fmt: skip
    return ok(_NAME, model.name, f"stored, at a multiple of {PAGE if entry.offset % PAGE == 0 else ALIGN}")
