# SPDX-License-Identifier: Apache-2.0
"""Whether the manifest lets the app open the vendor's libraries that reach the DSP."""

from __future__ import annotations

from collections.abc import Iterator

from tealight.doctor.findings import Finding, error, ok, warning
from tealight.doctor.package import Kind, Package

_NAME = "manifest"
_DSP = "libcdsprpc.so"
_ENTRY = f'<uses-native-library android:name="{_DSP}" android:required="false" />'


def check(package: Package) -> Iterator[Finding]:
    """Looks for uses-native-library."""
    if package.kind not in (Kind.APK, Kind.AAR):
        return
    if package.manifest is None:
        if not any(f.part == "AndroidManifest.xml" for f in package.contents):
            yield error(_NAME, "AndroidManifest.xml", "not in the package, must be there; is it an Android package?")
        return
    required = package.manifest.native_libraries.get(_DSP)
    if required is None:
        yield warning(
            _NAME, "AndroidManifest.xml",
            f"no entry for {_DSP}, expected one where the DSP is wanted (from Android 12 it stays closed without); add "
            f"{_ENTRY} to <application>",
        )  # fmt: skip
    elif required:
        yield error(
            _NAME, "AndroidManifest.xml",
            f"{_DSP} is required, must not be: phones without it refuse to install the app; write {_ENTRY}",
        )  # fmt: skip
    else:
        yield ok(_NAME, "AndroidManifest.xml", f"{_DSP} may be opened, and need not be there")
