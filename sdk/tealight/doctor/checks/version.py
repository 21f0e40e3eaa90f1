# SPDX-License-Identifier: Apache-2.0
"""Whether the runtimes run the format of the bundles."""

from __future__ import annotations

from collections.abc import Iterator

from tealight.bundle.format import FORMAT_VERSION
from tealight.doctor.findings import Finding, error, ok
from tealight.doctor.package import Kind, Package

_NAME = "version"


def check(package: Package) -> Iterator[Finding]:
    """Checks that a runtime says what it is, and compares bundles with runtimes."""
    for library in package.libraries:
        if library.info is not None:
            text = f"Tealight {library.info.version}, runs bundles up to format {library.info.format}"
            yield ok(_NAME, library.name, text)
        elif package.kind is Kind.LIBRARY:
            yield error(
                _NAME, library.name, "no build info, expected that of a Tealight runtime; is it another library?"
            )
    for model in package.models:
        made_by = model.bundle.provenance.get("tool_version") or "an unknown version"
        # The reader refuses every other format, so that a bundle that was read has this one.
        old = [r for r in package.runtimes if r.info is not None and r.info.format < FORMAT_VERSION]
        for runtime in old:
            yield error(
                _NAME, model.name,
                f"format {FORMAT_VERSION}, {runtime.name} runs up to {runtime.info.format if runtime.info else 0}; "
                "update the runtime or build the bundle with its release",
            )  # fmt: skip
        if not old:
            yield ok(_NAME, model.name, f"format {FORMAT_VERSION}, made by Tealight {made_by}")
