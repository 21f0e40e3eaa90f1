# SPDX-License-Identifier: Apache-2.0
"""Whether the runtimes are of one version, and run the format of the bundles."""

from __future__ import annotations

from collections.abc import Iterator

from tealight.bundle.format import FORMAT_VERSION
from tealight.doctor.findings import Finding, error, ok
from tealight.doctor.package import Kind, Model, Package

_NAME = "version"


def check(package: Package) -> Iterator[Finding]:
    """Checks that a runtime says what it is, and compares bundles with runtimes."""
    yield from _runtimes(package)
    for model in package.models:
        yield from _model(model, package)


def _runtimes(package: Package) -> Iterator[Finding]:
    infos = {part.name: part.info for part in package.parts if part.info is not None}
    for name, info in infos.items():
        yield ok(_NAME, name, f"Tealight {info.version}, runs bundles up to format {info.format}")
    versions = sorted({info.version for info in infos.values()})
    if len(versions) > 1:
        yield error(_NAME, "", f"runtimes of versions {', '.join(versions)}, must be one; copy them from one release")
    if package.kind is Kind.LIBRARY and package.libraries and not infos:
        yield error(_NAME, "", "no build info, expected that of a Tealight runtime; is it another library?")
    if package.kind in (Kind.APK, Kind.AAR):
        with_info = {r.folder_abi for r in package.libraries if r.info is not None}
        for abi in sorted({r.folder_abi for r in package.libraries if r.is_ours} - with_info):
            yield error(_NAME, abi, "libraries of Tealight without build info, expected a runtime; is it damaged?")


def _model(model: Model, package: Package) -> Iterator[Finding]:
    made_by = model.bundle.provenance.get("tool_version") or "an unknown version"
    # The reader refuses every other format, so that a bundle that was read has this one.
    old = {r.name: r.info.format for r in package.runtimes if r.info is not None and r.info.format < FORMAT_VERSION}
    for name, number in old.items():
        yield error(
            _NAME, model.name,
            f"format {FORMAT_VERSION}, {name} runs up to {number}; update the runtime or build the bundle with its "
            "release",
        )  # fmt: skip
    if not old:
        yield ok(_NAME, model.name, f"format {FORMAT_VERSION}, made by Tealight {made_by}")
